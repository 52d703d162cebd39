# Dates the entries of a Java key store to SOURCE_DATE_EPOCH; its form is JKS (sun.security.provider.JavaKeyStore).
use strict;
use warnings;
my ($path, $password) = @ARGV;
exit 0 unless -f $path;
open(my $in, "<:raw", $path) or die "reproc: $path: $!\n";
my $store = do { local $/; <$in> } // "";
my $dated = $store;
my $at = 0;

# The number of so many bytes that stands next, or with no form nothing: they are passed over.
sub next_of {
    my ($size, $form) = @_;
    die "reproc: $path is damaged\n" if $at + $size > length $store;
    $at += $size;
    return $form ? unpack($form, substr($store, $at - $size, $size)) : undef;
}

exit 0 unless $store =~ /^\xfe\xed\xfe\xed\x00\x00\x00\x02/;
next_of(8);
for (1 .. next_of(4, "N")) {
    die "reproc: $path holds more than certificates\n" unless next_of(4, "N") == 2;
    next_of(next_of(2, "n"));
    next_of(8);
    substr($dated, $at - 8, 8) = pack("Q>", 1000 * $ENV{SOURCE_DATE_EPOCH});
    next_of(next_of(2, "n"));
    next_of(next_of(4, "N"));
}
die "reproc: $path is damaged\n" unless length $store == $at + 20;
exit 0 if $dated eq $store;
my $content = substr($dated, 0, $at);
my $wide = join("", map { pack("n", ord) } split(//, $password));
open(my $to, ">:raw", "$path.reproc") or die "reproc: $path: $!\n";
print $to $wide, "Mighty Aphrodite", $content or die "reproc: $path: $!\n";
close $to or die "reproc: $path: $!\n";
my ($sum) = `sha1sum "$path.reproc"` =~ /^([0-9a-f]{40})/ or die "reproc: no sha1sum\n";
unlink "$path.reproc";
open(my $out, ">:raw", $path) or die "reproc: $path: $!\n";
print $out $content, pack("H*", $sum) or die "reproc: $path: $!\n";
close $out or die "reproc: $path: $!\n";
