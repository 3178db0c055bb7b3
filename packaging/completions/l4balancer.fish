# fish completion for l4balancer(8). The program itself knows what may come next; backends are those of the running daemon.
function __l4balancer_offers
    set -l line (commandline --cut-at-cursor | string collect)
    command l4balancer "[suggest:"(string length -- $line)"]" $line 2>/dev/null | string match --invert '/*'
end
complete --command l4balancer --no-files --arguments '(__l4balancer_offers)'
for option in config token-file admin binary
    complete --command l4balancer --long-option $option --require-parameter --force-files
end
