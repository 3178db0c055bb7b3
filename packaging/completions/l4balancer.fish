# fish completion for l4balancer(8). The program itself knows what may come next, and what it is; backends are those of the running daemon.
function __l4balancer_offers
    set -l line (commandline --cut-at-cursor | string collect)
    set -l option (commandline --cut-at-cursor --current-token | string match --regex '^--[^=]+=')
    for offer in (command l4balancer "[describe:"(string length -- $line)"]" $line 2>/dev/null)
        printf '%s\n' "$option$offer"
    end
end
complete --command l4balancer --no-files --arguments '(__l4balancer_offers)'
for option in config token-file admin binary
    complete --command l4balancer --long-option $option --require-parameter --force-files
end
complete --command l4balancer --condition '__fish_seen_subcommand_from check' --force-files
