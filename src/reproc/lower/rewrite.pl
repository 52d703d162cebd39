# Replaces a text in all text files below a directory, or in one file; links are left alone.
use strict;
use warnings;
my ($root, $old, $new) = @ARGV;
my ($places, $files) = (0, 0);
my @todo = ($root);
while (defined(my $path = shift @todo)) {
    next if -l $path;
    if (-d _) {
        opendir(my $folder, $path) or die "reproc: $path: $!\n";
        push @todo, map { "$path/$_" } sort grep { $_ ne "." && $_ ne ".." } readdir $folder;
        next;
    }
    next unless -f _;
    open(my $in, "<:raw", $path) or die "reproc: $path: $!\n";
    my $text = do { local $/; <$in> };
    next if !defined $text || index($text, "\0") >= 0;
    my $found = () = $text =~ /\Q$old\E/g or next;
    $text =~ s/\Q$old\E/$new/g;
    open(my $out, ">:raw", $path) or die "reproc: $path: $!\n";
    print $out $text or die "reproc: $path: $!\n";
    close $out or die "reproc: $path: $!\n";
    $places += $found;
    $files++;
}
die "reproc: nothing to rewrite: no text file of $root holds \"$old\"\n" unless $places;
print "reproc: rewrote \"$old\" in $places places of $files files\n";
