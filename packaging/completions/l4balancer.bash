# bash completion for l4balancer(8). The program itself knows what may come next; backends are those of the running daemon.
_l4balancer()
{
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} IFS=$'\n'
    case $before in
        --config | --token-file | --admin | --binary)
            compopt -o filenames
            COMPREPLY=($(compgen -f -- "$current"))
            return
            ;;
    esac
    local line=${COMP_LINE:0:COMP_POINT}
    COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "[suggest:${#line}]" "$line" 2>/dev/null | grep -v '^[/]')" -- "$current"))
}
complete -F _l4balancer l4balancer
