# bash completion for l4balancer(8). The program itself knows what may come next; backends are those of the running daemon.
_l4balancer()
{
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} IFS=$'\n'
    # The = of --config=FILE is a word of its own here.
    if [[ $current == = ]]; then
        current=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    [[ ${COMP_WORDS[1]} == check && $current != -* ]] && before=--config
    case $before in
        --config | -c | --token-file | --admin | --binary)
            compopt -o filenames
            COMPREPLY=($(compgen -f -- "$current"))
            return
            ;;
    esac
    local line=${COMP_LINE:0:COMP_POINT}
    COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" "[suggest:${#line}]" "$line" 2>/dev/null)" -- "$current"))
}
complete -F _l4balancer l4balancer
