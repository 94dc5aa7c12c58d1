# A store in place of a database: "SET name value" and "GET name", a line each; a file each in the directory.
# usage: store.pl DIRECTORY PORT
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;

my ($directory, $port) = @ARGV;
my $listener = IO::Socket::INET->new(LocalPort => $port, Listen => 64, ReuseAddr => 1) or die "port $port: $@\n";
my $all = IO::Select->new($listener);
$SIG{TERM} = sub { exit 0 };
$SIG{PIPE} = 'IGNORE';

sub answer {
	my ($line) = @_;
	if ($line =~ /^SET ([a-z0-9]{1,64}) (.{0,4096})$/) {
		open(my $file, '>', "$directory/$1.new") or return "ERROR $!";
		print $file $2;
		close($file) && rename("$directory/$1.new", "$directory/$1") or return "ERROR $!";
		return 'OK';
	}
	if ($line =~ /^GET ([a-z0-9]{1,64})$/) {
		open(my $file, '<', "$directory/$1") or return 'NONE';
		return 'VALUE ' . (<$file> // '');
	}
	return 'ERROR expected SET name value or GET name';
}

while (1) {
	for my $ready ($all->can_read) {
		if ($ready == $listener) {
			$all->add(scalar $listener->accept);
			next;
		}
		my $line = <$ready>;
		if (!defined $line) {
			$all->remove($ready);
			close $ready;
			next;
		}
		$line =~ s/\r?\n$//;
		print $ready answer($line), "\n";
		$ready->flush;
	}
}
