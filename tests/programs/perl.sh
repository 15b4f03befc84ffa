# SPDX-License-Identifier: MIT
# Hashes, closures, sorting, regular expressions, sprintf, fork and pipes.
under perl - "$SCALE" <<'PERL'
use strict;
use warnings;
use Data::Dumper;
use Digest::MD5 qw(md5_hex);
use List::Util qw(sum shuffle reduce);
use Storable qw(freeze thaw);
use Time::Local;

my $scale = shift;
my $seed = 42;
sub draw { $seed = ($seed * 1103515245 + 12345) % 2147483648; return int($seed / 128) % shift }

my %count;
for (1 .. 60_000 * $scale) {
    my $word = join '', map { chr(97 + draw(26)) } 1 .. 1 + draw(6);
    $count{$word}++;
}
my @common = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
printf "%d words, most common: %s\n", scalar @common, join ' ', map { "$_=$count{$_}" } @common[0 .. 9];

my $text = join ' ', @common;
my $changed = ($text =~ s/([aeiou])([^aeiou ])/$2$1/g);
print "$changed changed, digest ", md5_hex($text), "\n";
my %by_length;
push @{$by_length{length $_}}, $_ for split / /, $text;
print "$_: ", scalar @{$by_length{$_}}, "\n" for sort { $a <=> $b } keys %by_length;

my $tree;
sub insert { my ($t, $k) = @_; return [$k, undef, undef] unless $t;
    $t->[$k < $t->[0] ? 1 : 2] = insert($t->[$k < $t->[0] ? 1 : 2], $k); return $t }
sub depth { my $t = shift; return 0 unless $t; my ($l, $r) = (depth($t->[1]), depth($t->[2])); return 1 + ($l > $r ? $l : $r) }
$tree = insert($tree, draw(1_000_000)) for 1 .. 5000 * $scale;
print "depth ", depth($tree), "\n";

my $copy = thaw(freeze(\%by_length));
print "copies agree\n" if md5_hex(join ',', @{$copy->{3}}) eq md5_hex(join ',', @{$by_length{3}});
$Data::Dumper::Sortkeys = 1;
$Data::Dumper::Indent = 1;
print Dumper({ numbers => [1 .. 3], nested => { a => [], b => { c => undef } } });

my $long = '';
$long .= 'x' x $_ for 1 .. 1500;
print length($long), ' ', md5_hex($long), "\n";

for my $child (1 .. 4) {
    my $pid = open(my $pipe, '-|') // die "fork: $!";
    if (!$pid) { my @list = map { $_ * $child } 1 .. 20_000; print sum(@list), "\n"; exit $child }
    print "child $child: ", <$pipe>;
    close $pipe;
    print "status ", $? >> 8, "\n";
}
print scalar gmtime(timegm(0, 0, 0, 1, 0, 100)), "\n";
exit 0;
PERL
