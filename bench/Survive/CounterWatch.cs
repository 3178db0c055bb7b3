using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Bench.Survive;

/// <summary>Scrapes the metrics five times a second, each time on a new connection, and notes every counter that steps back.</summary>
internal sealed class CounterWatch : IDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(200);
    private static readonly string[] CounterEnds = ["_total", "_count", "_sum", "_bucket"];

    private readonly Thread _watching;
    private readonly Lock _changing = new();
    private readonly List<string> _steps = [];
    private Dictionary<string, double> _last = [];
    private volatile bool _ended;
    private bool _mayRestart;
    private int _scrapes;
    private int _missed;

    public CounterWatch()
    {
        _watching = new Thread(Watch) { IsBackground = true, Name = "scraper" };
        _watching.Start();
    }

    public int Scrapes => Volatile.Read(ref _scrapes);

    /// <summary>Scrapes without an answer.</summary>
    public int Missed => Volatile.Read(ref _missed);

    public IReadOnlyList<string> StepsBack
    {
        get
        {
            lock (_changing)
            {
                return [.. _steps];
            }
        }
    }

    /// <summary>From now on counters may begin anew: the daemon is killed.</summary>
    public void ExpectRestarts()
    {
        lock (_changing)
        {
            _mayRestart = true;
        }
    }

    /// <summary>The sum of a counter over all its series, in the last scrape.</summary>
    /// <param name="label">A part of the labels; empty: all.</param>
    public double Sum(string name, string label = "")
    {
        lock (_changing)
        {
            return _last
                .Where(s => NameOf(s.Key) == name && s.Key.Contains(label, StringComparison.Ordinal))
                .Sum(static s => s.Value);
        }
    }

    public void Dispose()
    {
        _ended = true;
        _watching.Join();
    }

    private void Watch()
    {
        while (!_ended)
        {
            long start = Stopwatch.GetTimestamp();
            if (Scrape() is string text)
            {
                Compare(text);
            }
            else
            {
                Interlocked.Increment(ref _missed);
            }

            Interlocked.Increment(ref _scrapes);
            TimeSpan left = Every - Stopwatch.GetElapsedTime(start);
            Thread.Sleep(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        }
    }

    private void Compare(string text)
    {
        var now = new Dictionary<string, double>();
        foreach (string line in text.Split('\n').Where(static l => l.Length > 0 && l[0] != '#'))
        {
            int space = line.LastIndexOf(' ');
            now[line[..space]] = double.Parse(line[(space + 1)..], CultureInfo.InvariantCulture);
        }

        lock (_changing)
        {
            foreach ((string series, double before) in _last.Where(static s => IsCounter(s.Key)))
            {
                double after = now.GetValueOrDefault(series);
                if (after < before && !_mayRestart)
                {
                    _steps.Add(string.Create(CultureInfo.InvariantCulture, $"{series}: {before} to {after}"));
                }
            }

            _last = now;
        }
    }

    // process_cpu_seconds_total and the like are a process's own, and begin anew with it.
    private static bool IsCounter(string series) =>
        CounterEnds.Any(NameOf(series).EndsWith) && !series.StartsWith("process_", StringComparison.Ordinal);

    private static string NameOf(string series) => series.Split('{')[0];

    // HTTP/1.0: the answer ends with its connection, and is not sent in chunks.
    private static string? Scrape()
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.ReceiveTimeout = 5000;
            socket.Connect(new IPEndPoint(IPAddress.Loopback, ScenePorts.Metrics));
            socket.Send(Encoding.ASCII.GetBytes(
                string.Create(CultureInfo.InvariantCulture, $"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1:{ScenePorts.Metrics}\r\n\r\n")));
            using var stream = new NetworkStream(socket);
            using var reader = new StreamReader(stream, Encoding.UTF8);
            string answer = reader.ReadToEnd();
            int body = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            return body > 0 && answer.Split(' ')[1] == "200" ? answer[(body + 4)..] : null;
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return null;
        }
    }
}
