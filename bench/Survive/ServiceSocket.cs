using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace L4Balancer.Bench.Survive;

/// <summary>The service manager's end of NOTIFY_SOCKET (sd_notify(3)): which process is the main one, and when it is ready.</summary>
internal sealed class ServiceSocket : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly Lock _changing = new();
    private int _main;
    private int _ready;

    public ServiceSocket(string path)
    {
        _socket.Bind(new UnixDomainSocketEndPoint(path));
        var reading = new Thread(Read) { IsBackground = true, Name = "notify" };
        reading.Start();
    }

    /// <summary>The main process: the one started last, or the one that MAINPID= has named since.</summary>
    public int Main
    {
        get
        {
            lock (_changing)
            {
                return _main;
            }
        }
    }

    /// <summary>How often READY=1 has come since <see cref="Started"/>.</summary>
    public int Ready => Volatile.Read(ref _ready);

    /// <summary>The manager is about to start the service.</summary>
    public void Starting() => Volatile.Write(ref _ready, 0);

    public void Started(int main)
    {
        lock (_changing)
        {
            _main = main;
        }
    }

    public void Dispose() => _socket.Dispose();

    private void Read()
    {
        byte[] buffer = new byte[4096];
        try
        {
            while (true)
            {
                int count = _socket.Receive(buffer);
                foreach (string line in Encoding.UTF8.GetString(buffer, 0, count).Split('\n'))
                {
                    Note(line);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The scene is over.
        }
    }

    private void Note(string line)
    {
        if (line == "READY=1")
        {
            Interlocked.Increment(ref _ready);
        }
        else if (line.StartsWith("MAINPID=", StringComparison.Ordinal))
        {
            Started(int.Parse(line["MAINPID=".Length..], CultureInfo.InvariantCulture));
        }
    }
}
