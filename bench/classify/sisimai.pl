# Sisimai (Perl, Debian package libsisimai-perl) over the files of a folder: prints its messages for each CPU-second.
use strict;
use warnings;
use Sisimai;

my ($folder, $passes, $seconds) = (shift, 1, 3);
my @files = glob "$folder/*.eml";
my $pass = sub { Sisimai->make($_, 'delivered' => 1) for @files };
$pass->() for 1 .. $passes;
my $cpu = sub { my ($user, $system) = times; $user + $system };
my ($count, $start) = (0, $cpu->());
while ($cpu->() - $start < $seconds) { $pass->(); $count += @files }
printf "%f\n", $count / ($cpu->() - $start);
