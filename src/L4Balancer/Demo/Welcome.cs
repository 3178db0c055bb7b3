using L4Balancer.Core.Addressing;
using L4Balancer.Hosting;

namespace L4Balancer.Demo;

/// <summary>What the demo prints once it runs: where everything is, and what to try.</summary>
internal static class Welcome
{
    public static void Write(TextWriter output, Daemon daemon, EchoBackends backends, DemoToken token)
    {
        Endpoint ws = daemon.Bound[0];
        Endpoint wss = daemon.Bound[1];
        output.WriteLine($"""

            The balancer takes  ws://{ws}/   and spreads it over {backends.Plain.Count} echo backends,
                           and  wss://{wss}/  over {backends.Tls.Count} more (TLS goes through untouched; self-signed).
            The status page is  {daemon.PageUrl}
                                (changes there take the token {token.Text})
            Metrics are at      {daemon.MetricsUrl}

            Try, more than once, and see the backend change:
              {PlainRequest(ws)}
              {TlsRequest(wss)}
            A WebSocket, in the console of a browser that shows http://{ws}/:
              s = new WebSocket("ws://{ws}/"); s.onmessage = e => console.log(e.data); s.onopen = () => s.send("hello")

            Each connection becomes one line below. Ctrl-C ends it all.

            """);
        output.Flush();
    }

    // The command that is printed must work on this very machine.
    private static string PlainRequest(Endpoint target) =>
        Has("curl") ? $"curl -s http://{target}/"
        : Has("wget") ? $"wget -qO- http://{target}/"
        : Has("python3") ? $"python3 -c \"import urllib.request as r; print(r.urlopen('http://{target}/').read().decode())\""
        : $"bash -c 'exec 3<>/dev/tcp/{target.Address}/{target.Port}; printf \"GET / HTTP/1.0\\r\\n\\r\\n\" >&3; cat <&3'";

    private static string TlsRequest(Endpoint target) =>
        Has("curl") ? $"curl -sk https://{target}/"
        : Has("wget") ? $"wget -qO- --no-check-certificate https://{target}/"
        : Has("python3") ? "python3 -c \"import ssl, urllib.request as r; "
            + $"print(r.urlopen('https://{target}/', context=ssl._create_unverified_context()).read().decode())\""
        : $"https://{target}/ in a browser that is told to trust it";

    private static bool Has(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Any(folder => File.Exists(Path.Combine(folder, program)));
}
