using L4Balancer.Core.Addressing;
using L4Balancer.Hosting;

namespace L4Balancer.Demo;

/// <summary>The text that the demo prints once it runs: addresses, and commands to try.</summary>
internal static class Welcome
{
    public static void Write(TextWriter output, Daemon daemon, EchoBackends backends, DemoToken token)
    {
        Endpoint ws = daemon.Bound[0];
        Endpoint wss = daemon.Bound[1];
        output.WriteLine($"""

            The balancer serves  ws://{ws}/   with {backends.Plain.Count} echo backends,
                           and   wss://{wss}/  with {backends.Tls.Count} more (TLS passes through unchanged; self-signed).
            The status page is   {daemon.PageUrl}
                                 (changes there require the token {token.Text})
            Metrics are at       {daemon.MetricsUrl}

            Run these more than once to see the backend change:
              {PlainRequest(ws)}
              {TlsRequest(wss)}
            A WebSocket, in the console of a browser that shows http://{ws}/:
              s = new WebSocket("ws://{ws}/"); s.onmessage = e => console.log(e.data); s.onopen = () => s.send("hello")

            Each connection is logged as one line below. Ctrl-C ends the demo.

            """);
        output.Flush();
    }

    // The printed command must work on this host.
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
        : $"https://{target}/ in a browser, with an exception for its certificate";

    private static bool Has(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Any(folder => File.Exists(Path.Combine(folder, program)));
}
