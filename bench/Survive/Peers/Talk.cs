using L4Balancer.Engine.Linux;

namespace L4Balancer.Bench.Survive.Peers;

/// <summary>How one end saw a connection end.</summary>
internal enum Ending
{
    /// <summary>It lives.</summary>
    None,

    /// <summary>As it should, after the scene.</summary>
    Finished,

    /// <summary>The other side sent FIN before the scene was over.</summary>
    Fin,

    /// <summary>The other side sent a reset, or another error was read.</summary>
    Reset,

    /// <summary>It was not ended, and did not answer.</summary>
    Silent,
}

/// <summary>One connection as one of its ends sees it: its socket, its two streams, and how it ended.</summary>
internal sealed class Talk
{
    private readonly byte[] _preface = new byte[Preface.Length];
    private int _outgoing;
    private int _incoming;

    public Talk(int socket, bool isClient)
    {
        Socket = socket;
        IsClient = isClient;
    }

    public int Socket { get; set; }

    public bool IsClient { get; }

    public Preface Preface { get; private set; }

    /// <summary>Bytes of the preface that have come in.</summary>
    public int PrefaceBytes { get; private set; }

    public bool IsOpen => PrefaceBytes == Preface.Length;

    /// <summary>Bytes sent after the preface.</summary>
    public long Sent { get; private set; }

    /// <summary>Bytes received after the preface.</summary>
    public long Received { get; private set; }

    /// <summary>Where the first wrong byte was received, roughly; -1: none was.</summary>
    public long WrongAt { get; private set; } = -1;

    /// <summary>By which its process finds it again.</summary>
    public ulong Tag { get; set; }

    /// <summary>Bytes still to be sent of what has begun.</summary>
    public long Unsent { get; set; }

    /// <summary>Whether EPOLLOUT is asked for.</summary>
    public bool AwaitsRoom { get; set; }

    /// <summary>A message is answered when this many bytes have been received.</summary>
    public long AnsweredAt { get; set; }

    /// <summary>When it was sent, in nanoseconds of CLOCK_MONOTONIC.</summary>
    public long AskedAt { get; set; }

    /// <summary>Chunks or messages that were due while the one before was still under way.</summary>
    public int Skipped { get; set; }

    public Ending Ending { get; set; }

    /// <summary>In nanoseconds of CLOCK_MONOTONIC.</summary>
    public long EndedAt { get; set; }

    /// <summary>Both ends agree from here on what the streams are.</summary>
    public void Introduce(Preface preface)
    {
        Preface = preface;
        _outgoing = Pattern.Start(preface.Id, toClient: !IsClient);
        _incoming = Pattern.Start(preface.Id, toClient: IsClient);
    }

    /// <summary>Reads into the preface what is there.</summary>
    public unsafe SysResult ReadPreface(out ReadOnlySpan<byte> whole)
    {
        SysResult read;
        fixed (byte* target = _preface)
        {
            read = TcpSocket.Receive(Socket, target + PrefaceBytes, Preface.Length - PrefaceBytes);
        }

        PrefaceBytes += read.IsError ? 0 : read.Value;
        whole = IsOpen ? _preface : default;
        return read;
    }

    /// <summary>Sends as much of <see cref="Unsent"/> as the kernel takes.</summary>
    /// <returns>The error; <see cref="Errno.EAGAIN"/> where some is left.</returns>
    public unsafe Errno SendOn(byte[] buffer)
    {
        while (Unsent > 0)
        {
            int count = (int)Math.Min(Unsent, buffer.Length);
            Pattern.Fill(_outgoing, Sent, buffer.AsSpan(0, count));
            SysResult sent;
            fixed (byte* source = buffer)
            {
                sent = TcpSocket.Send(Socket, source, count);
            }

            if (sent.IsError)
            {
                return sent.Errno;
            }

            Sent += sent.Value;
            Unsent -= sent.Value;
        }

        return Errno.None;
    }

    /// <summary>Reads once and checks what was read.</summary>
    public unsafe SysResult ReceiveOn(byte[] buffer)
    {
        SysResult read;
        fixed (byte* target = buffer)
        {
            read = TcpSocket.Receive(Socket, target, buffer.Length);
        }

        if (read.IsError || read.Value == 0)
        {
            return read;
        }

        if (WrongAt < 0 && !Pattern.Matches(_incoming, Received, buffer.AsSpan(0, read.Value)))
        {
            WrongAt = Received;
        }

        Received += read.Value;
        return read;
    }
}
