# Applies a unified diff below a directory, or to one file: every line must fit, wherever the hunk has moved to.
use strict;
use warnings;
my ($root, $name, $patch) = @ARGV;
sub stop { die "reproc: the patch $name does not apply: @_\n" }

sub slurp {
    open(my $in, "<:raw", $_[0]) or stop("$_[0]: $!");
    local $/;
    my $text = <$in>;
    return $text // "";
}

sub cut { return $_[0] =~ /[^\n]*\n|[^\n]+\z/g }

# the name in a header line, and how it may be meant: as it is, or without its first part
sub named {
    my ($name) = $_[0] =~ /^.{4}([^\t\r\n]+)/ or stop("a header names no file");
    stop("the name $name is quoted") if $name =~ /^"/;
    return $name eq "/dev/null" ? () : ($name =~ m{^[^/]*/+(.*)}s ? ($1, $name) : ($name));
}

sub inside {
    my ($path) = @_;
    stop("$path leads out of $root") if $path =~ m{^/|(^|/)\.\.(/|\z)};
    my $at = $root;
    for my $part (split m{/+}, $path) {
        $at .= "/$part";
        stop("$path leads through a link") if -l $at;
    }
    return $at;
}

sub hunks {
    my ($lines) = @_;
    my @hunks;
    while (@$lines && $lines->[0] =~ /^\@\@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? \@\@/) {
        my ($at, $from, $to) = ($1, $2 // 1, $3 // 1);
        my (@old, @new);
        my $start = $from ? $at - 1 : $at;
        shift @$lines;
        while ($from > 0 || $to > 0) {
            my $line = shift @$lines // stop("it is cut off");
            $line = " $line" if $line =~ /^\r?\n\z/;
            my ($sign, $text) = $line =~ /^([ +-])(.*)\z/s or stop("a hunk is cut off");
            my $last = @$lines && $lines->[0] =~ /^\\/;
            shift @$lines if $last;
            $text =~ s/\n\z// if $last;
            if ($sign ne "+") { push @old, $text; $from-- }
            if ($sign ne "-") { push @new, $text; $to-- }
        }
        push @hunks, [$start, \@old, \@new];
    }
    return @hunks;
}

sub apply {
    my ($path, $text, @hunks) = @_;
    my @have = cut($text);
    my ($moved, $done) = (0, 0);
    for my $hunk (@hunks) {
        my ($start, $old, $new) = @$hunk;
        my ($wanted, $found) = (join("", @$old));
        for my $away (map { ($_, -$_) } 0 .. @have) {
            my $at = $start + $moved + $away;
            next if $at < $done || $at + @$old > @have;
            next if join("", @have[$at .. $at + @$old - 1]) ne $wanted;
            $found = $at;
            last;
        }
        stop("$path has no such lines near line " . ($start + 1)) unless defined $found;
        splice @have, $found, scalar @$old, @$new;
        $moved = $found - $start + @$new - @$old;
        $done = $found + @$new;
    }
    return join "", @have;
}

sub make {
    my ($path, $text, $mode) = @_;
    my $at = $root;
    for my $part ($path eq $root ? () : split m{/}, substr $path, length($root) + 1) {
        -d $at or mkdir $at or stop("$at: $!");
        $at .= "/$part";
    }
    open(my $out, ">:raw", $path) or stop("$path: $!");
    print $out $text or stop("$path: $!");
    close $out or stop("$path: $!");
    chmod $mode, $path or stop("$path: $!") if defined $mode;
}

my @lines = cut(slurp($patch));
my ($mode, $files) = (undef, 0);
while (@lines) {
    my $line = shift @lines;
    stop("it renames, copies, links or holds a binary file")
        if $line =~ /^(?:rename|copy) (?:from|to) |^(?:new|old)(?: file)? mode 1[26]|^GIT binary patch|^Binary files /;
    stop("it changes a mode and no line") if defined $mode && $line =~ /^diff --git /;
    $mode = oct $1 if $line =~ /^new (?:file )?mode 10(0\d{3})/;
    next unless $line =~ /^--- / && @lines > 1 && $lines[0] =~ /^\+\+\+ / && $lines[1] =~ /^\@\@ -/;
    my @old = named($line);
    my @new = named(shift @lines);
    my @hunks = hunks(\@lines);
    my ($path) = -d $root ? grep { -f } map { inside($_) } @old, @new : $root;
    # diff -N names a file that is not there where git says /dev/null
    if (!@old || (!defined $path && @new && !@{$hunks[0][1]})) {
        $path //= inside(@new > 1 && $new[1] !~ m{^[ab]/} && -d inside($new[1] =~ s{/.*}{}sr) ? $new[1] : $new[0]);
        stop("$path is there already") if -s $path;
        make($path, apply($path, "", @hunks), $mode // 0644);
    } else {
        stop("there is no file " . ($new[0] // $old[0])) unless defined $path;
        my $text = apply($path, slurp($path), @hunks);
        if (@new) { make($path, $text, $mode) }
        elsif ($text eq "") { unlink $path or stop("$path: $!") }
        else { stop("$path holds more than what is to be deleted") }
    }
    ($mode, $files) = (undef, $files + 1);
}
stop("it changes a mode and no line") if defined $mode;
stop("it holds no unified diff") unless $files;
print "reproc: $name changes $files files\n";
