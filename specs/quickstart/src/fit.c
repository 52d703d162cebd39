/* Least-squares lines through the data sets of a CSV file: set,x,y with a header line. */
#include <stdio.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { SETS = 16, POINTS = 1024 };

struct set {
    char name[8];
    int n;
    double x[POINTS], y[POINTS];
    double intercept, slope;
};

static struct set sets[SETS];

static int read_sets(FILE *file)
{
    char line[256], name[8];
    double x, y;
    int count = 0;

    if (!fgets(line, sizeof line, file))
        return 0;
    while (fgets(line, sizeof line, file)) {
        int i = 0;
        if (sscanf(line, "%7[^,],%lf,%lf", name, &x, &y) != 3)
            return -1;
        while (i < count && strcmp(sets[i].name, name))
            i++;
        if (i == SETS || sets[i].n == POINTS)
            return -1;
        if (i == count)
            strcpy(sets[count++].name, name);
        sets[i].x[sets[i].n] = x;
        sets[i].y[sets[i].n++] = y;
    }
    return count;
}

static void fit(struct set *s)
{
    double sx = 0, sy = 0, sxx = 0, sxy = 0;

    for (int i = 0; i < s->n; i++) {
        sx += s->x[i];
        sy += s->y[i];
        sxx += s->x[i] * s->x[i];
        sxy += s->x[i] * s->y[i];
    }
    s->slope = (s->n * sxy - sx * sy) / (s->n * sxx - sx * sx);
    s->intercept = (sy - s->slope * sx) / s->n;
}

int main(int argc, char **argv)
{
    FILE *file;
    int count;

    if (argc == 2 && !strcmp(argv[1], "--threads")) {
#ifdef _OPENMP
        printf("%d\n", omp_get_max_threads());
#else
        puts("1");
#endif
        return 0;
    }
    if (argc != 2 || !(file = fopen(argv[1], "r"))) {
        fprintf(stderr, "usage: fit FILE.csv | fit --threads\n");
        return 2;
    }
    count = read_sets(file);
    fclose(file);
    if (count <= 0) {
        fprintf(stderr, "fit: %s: not a table of set,x,y\n", argv[1]);
        return 1;
    }
#pragma omp parallel for
    for (int i = 0; i < count; i++)
        fit(&sets[i]);
    for (int i = 0; i < count; i++)
        printf("%-4s y = %.2f + %.3f x\n", sets[i].name, sets[i].intercept, sets[i].slope);
    return 0;
}
