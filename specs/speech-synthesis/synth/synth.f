C     FORMANT SYNTHESISER: PHONES IN, 16-BIT PCM AT 16 KHZ OUT.
C
C     TWO RESONATORS IN CASCADE, DRIVEN BY PULSES OR BY NOISE (D. H. KLATT, J. ACOUST. SOC. AM. 67,
C     1980, EQUATIONS 1 AND 2). CLEAR IS CALLED FOR INTEGERS AND FOR REALS ALIKE, AS PROGRAMS OF
C     THAT TIME DO: GFORTRAN 10 MADE OF THAT AN ERROR.
      PROGRAM SYNTH
      INTEGER MAXPH
      PARAMETER (MAXPH = 64)
      CHARACTER*4 NAME(MAXPH), PHONE
      REAL F1(MAXPH), F2(MAXPH), STATE(4)
      INTEGER VOICED(MAXPH), COUNT(MAXPH)
      INTEGER N, I, MS, IP, IOS, IPHASE, ISEED
      CALL CLEAR(MAXPH, COUNT)
      CALL CLEAR(4, STATE)
      OPEN (10, FILE='/home/ken/synth/voice.tab', STATUS='OLD')
      N = 0
   10 N = N + 1
      READ (10, *, IOSTAT=IOS) NAME(N), F1(N), F2(N), VOICED(N)
      IF (IOS .EQ. 0 .AND. N .LT. MAXPH) GO TO 10
      N = N - 1
      OPEN (11, FILE='/dev/stdout', ACCESS='STREAM',
     &      FORM='UNFORMATTED', STATUS='OLD')
      IPHASE = 0
      ISEED = 1
   20 READ (5, *, IOSTAT=IOS) PHONE, MS, IP
      IF (IOS .NE. 0) GO TO 40
      DO 30 I = 1, N
         IF (NAME(I) .EQ. PHONE) THEN
            COUNT(I) = COUNT(I) + 1
            CALL SPEAK(F1(I), F2(I), VOICED(I), MS, IP,
     &                 STATE, IPHASE, ISEED)
            GO TO 20
         END IF
   30 CONTINUE
      WRITE (0, *) 'SYNTH: NO PHONE ', PHONE
      STOP 1
   40 CLOSE (11)
      END

      SUBROUTINE CLEAR(N, A)
      INTEGER N, I
      REAL A(N)
      DO 10 I = 1, N
   10 A(I) = 0
      END

      SUBROUTINE SPEAK(F1, F2, KIND, MS, IP, S, IPHASE, ISEED)
      REAL F1, F2, S(4), X, A1, B1, C1, A2, B2, C2, Y
      INTEGER KIND, MS, IP, IPHASE, ISEED, I
      INTEGER*2 ISAMP
      CALL RESON(F1, 80.0, A1, B1, C1)
      CALL RESON(F2, 120.0, A2, B2, C2)
      DO 10 I = 1, MS * 16
         X = 0
         IF (KIND .EQ. 1) THEN
            IPHASE = IPHASE + IP
            IF (IPHASE .GE. 16000) THEN
               IPHASE = IPHASE - 16000
               X = 9000
            END IF
         ELSE IF (KIND .EQ. 0) THEN
            ISEED = MOD(ISEED * 1103 + 12345, 65536)
            X = (ISEED - 32768) * 0.05
         END IF
         Y = A1 * X + B1 * S(1) + C1 * S(2)
         S(2) = S(1)
         S(1) = Y
         Y = A2 * Y + B2 * S(3) + C2 * S(4)
         S(4) = S(3)
         S(3) = Y
         ISAMP = INT(MAX(-32000.0, MIN(32000.0, Y * 4)), 2)
         WRITE (11) ISAMP
   10 CONTINUE
      END

      SUBROUTINE RESON(F, BW, A, B, C)
      REAL F, BW, A, B, C, PI
      PARAMETER (PI = 3.14159265)
      C = -EXP(-2 * PI * BW / 16000)
      B = 2 * EXP(-PI * BW / 16000) * COS(2 * PI * F / 16000)
      A = 1 - B - C
      END
