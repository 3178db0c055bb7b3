#!/usr/bin/perl
# docs/configuration.md as balancer.toml(5), in man(7): one text for both.
use strict;
use warnings;

sub plain {
    my ($text) = @_;
    $text =~ s/\x01/|/g;
    $text =~ s/\[([^\]]*)\]\([^)]*\)/$1/g;
    $text =~ s/\\/\\e/g;
    $text =~ s/-/\\-/g;
    $text =~ s/\*\*([^*]*)\*\*/\\fB$1\\fR/g;
    $text =~ s/`([^`]*)`/\\fB$1\\fR/g;
    $text =~ s/^\s+//;
    $text =~ s/^([.'])/\\&$1/;
    return $text;
}

print qq(.TH BALANCER.TOML 5 "" "L4Balancer" "File formats"\n.SH NAME\nbalancer.toml \\- configuration of l4balancer(8)\n.SH DESCRIPTION\n);
my ($fenced, $keys, $rows, $gap) = (0, 0, 0, 0);
while (my $line = <>) {
    chomp $line;
    if ($line =~ /^```/) {
        $fenced = !$fenced;
        print $fenced ? ".PP\n.RS 4\n.nf\n" : ".fi\n.RE\n";
    } elsif ($fenced) {
        print plain($line), "\n";
    } elsif ($line =~ /^# / or $line =~ /^\|[-| ]*\|$/) {
        next;
    } elsif ($line =~ /^## (.*)/) {
        print ".SH ", plain($1 =~ s/`//gr), "\n";
        $gap = 0;
    } elsif ($line =~ /^### (.*)/) {
        print ".SS ", plain($1 =~ s/`//gr), "\n";
        $gap = 0;
    } elsif ($line =~ /^\|/) {
        $line =~ s/\\\|/\x01/g;
        my (undef, @cell) = map { s/^\s+|\s+$//gr } split /\|/, $line;
        if ($rows++ == 0) {
            $keys = $cell[0] eq 'key' && @cell == 5;
        } elsif ($keys) {
            print ".TP\n", plain($cell[0]), "\n";
            print plain($cell[4]), ".\n" if $cell[4] ne '';
            print "Default: ", plain($cell[1]), "; allowed: ", plain($cell[2]), "; example: ", plain($cell[3]), ".\n";
        } else {
            print ".TP\n", plain($cell[0]), "\n", map { plain($_) . "\n" } grep { $_ ne '' } @cell[1 .. $#cell];
        }
        $gap = 1;
    } elsif ($line =~ /^\s*$/) {
        ($rows, $gap) = (0, 1);
    } elsif ($line =~ /^- (.*)/) {
        print ".IP \\(bu 2\n", plain($1), "\n";
        $gap = 0;
    } else {
        print ".PP\n" if $gap;
        print plain($line), "\n";
        $gap = 0;
    }
}
print ".SH SEE ALSO\n\\fBl4balancer\\fR(8)\n";
