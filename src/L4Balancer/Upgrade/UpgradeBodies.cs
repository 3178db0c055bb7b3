namespace L4Balancer.Upgrade;

/// <summary>What the new process needs before it starts. Encoded as every message (<see cref="UpgradeFieldWriter"/>).</summary>
/// <param name="Run">The id of the run, as in the admin API.</param>
/// <param name="Who">Who asked for the upgrade.</param>
/// <param name="Started">When it began.</param>
/// <param name="Image">What it must know of the balancer before it starts (<c>L4Balancer.Core.Handover</c>).</param>
internal sealed record UpgradePreparation(string Run, string Who, DateTimeOffset Started, ReadOnlyMemory<byte> Image)
{
    public ReadOnlyMemory<byte> Write() => new UpgradeFieldWriter()
        .Add(1, Run).Add(2, Who).Add(3, Started.UtcTicks).Add(4, Image.Span).Written;

    /// <exception cref="UpgradeException">It cannot be read.</exception>
    public static UpgradePreparation Read(ReadOnlySpan<byte> body)
    {
        var read = new UpgradePreparation("", "", DateTimeOffset.UnixEpoch, default);
        var fields = new UpgradeFieldReader(body);
        while (fields.Next())
        {
            switch (fields.Tag)
            {
                case 1: read = read with { Run = fields.Text() }; break;
                case 2: read = read with { Who = fields.Text() }; break;
                case 3:
                    long started = Math.Clamp(fields.Number(), 0, DateTime.MaxValue.Ticks);
                    read = read with { Started = new DateTimeOffset(started, TimeSpan.Zero) };
                    break;
                case 4: read = read with { Image = fields.Value.ToArray() }; break;
                default: fields.Pass(); break;
            }
        }

        return read;
    }
}

/// <summary>A listening socket that goes over.</summary>
/// <param name="Part">
/// What it is for: <see cref="Listener"/> for those that take connections; otherwise the part of the daemon that owns it.
/// </param>
/// <param name="Descriptor">In the process that holds the value.</param>
internal sealed record UpgradeSocket(string Part, int Descriptor)
{
    public const string Listener = "listener";
    public const string Control = "control";

    /// <summary>Which one of its part: the name of the listener.</summary>
    public string Name { get; init; } = "";

    /// <summary>The address as in the configuration, and the one that it is bound to, as text.</summary>
    public string Requested { get; init; } = "";

    public string Bound { get; init; } = "";

    /// <summary>The service manager made it.</summary>
    public bool IsFromService { get; init; }

    /// <summary>Without the descriptor, which is sent beside it.</summary>
    public ReadOnlySpan<byte> Write() => new UpgradeFieldWriter()
        .Add(1, Part).Add(2, Name).Add(3, Requested).Add(4, Bound).Add(5, IsFromService ? 1 : 0).Written.Span;

    /// <exception cref="UpgradeException">It cannot be read.</exception>
    public static UpgradeSocket Read(ReadOnlySpan<byte> bytes, int descriptor)
    {
        var read = new UpgradeSocket("", descriptor);
        var fields = new UpgradeFieldReader(bytes);
        while (fields.Next())
        {
            switch (fields.Tag)
            {
                case 1: read = read with { Part = fields.Text() }; break;
                case 2: read = read with { Name = fields.Text() }; break;
                case 3: read = read with { Requested = fields.Text() }; break;
                case 4: read = read with { Bound = fields.Text() }; break;
                case 5: read = read with { IsFromService = fields.Number() != 0 }; break;
                default: fields.Pass(); break;
            }
        }

        return read;
    }
}

/// <summary>
/// What counts and what was set, at the moment when the old process has stopped to answer about it; and the listening sockets.
/// </summary>
internal sealed record UpgradeState(ReadOnlyMemory<byte> Image, IReadOnlyList<UpgradeSocket> Sockets)
{
    /// <summary>Anything else that parts of the daemon hand to themselves, by name.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Parts { get; init; } = new Dictionary<string, ReadOnlyMemory<byte>>();

    /// <summary>Without the descriptors, which are sent beside it in the order of <see cref="Sockets"/>.</summary>
    public ReadOnlyMemory<byte> Write()
    {
        var fields = new UpgradeFieldWriter();
        fields.Add(1, Image.Span);
        foreach (UpgradeSocket socket in Sockets)
        {
            fields.Add(2, socket.Write());
        }

        foreach ((string name, ReadOnlyMemory<byte> part) in Parts)
        {
            fields.Add(3, new UpgradeFieldWriter().Add(1, name).Add(2, part.Span).Written.Span);
        }

        return fields.Written;
    }

    /// <summary>Takes the descriptors out of the message.</summary>
    /// <exception cref="UpgradeException">It cannot be read, or the descriptors are not those that it names.</exception>
    public static UpgradeState Read(UpgradeMessage message)
    {
        if (message.LacksDescriptors)
        {
            throw new UpgradeException("this process has no descriptors left for the listening sockets");
        }

        ReadOnlyMemory<byte> image = default;
        List<byte[]> sockets = [];
        Dictionary<string, ReadOnlyMemory<byte>> parts = [];
        var fields = new UpgradeFieldReader(message.Body);
        while (fields.Next())
        {
            switch (fields.Tag)
            {
                case 1: image = fields.Value.ToArray(); break;
                case 2: sockets.Add(fields.Value.ToArray()); break;
                case 3: ReadPart(fields.Value, parts); break;
                default: fields.Pass(); break;
            }
        }

        if (sockets.Count != message.Descriptors)
        {
            throw new UpgradeException($"{message.Descriptors} listening sockets came, and {sockets.Count} were named");
        }

        // Numbers first: what cannot be read leaves the descriptors to the message.
        UpgradeSocket[] named = [.. sockets.Select(static s => UpgradeSocket.Read(s, -1))];
        IReadOnlyList<int> descriptors = message.TakeDescriptors();
        return new UpgradeState(image, [.. named.Select((socket, i) => socket with { Descriptor = descriptors[i] })]) { Parts = parts };
    }

    private static void ReadPart(ReadOnlySpan<byte> bytes, Dictionary<string, ReadOnlyMemory<byte>> parts)
    {
        (string name, ReadOnlyMemory<byte> value) = ("", default);
        var fields = new UpgradeFieldReader(bytes);
        while (fields.Next())
        {
            switch (fields.Tag)
            {
                case 1: name = fields.Text(); break;
                case 2: value = fields.Value.ToArray(); break;
                default: fields.Pass(); break;
            }
        }

        parts[name] = value;
    }
}

/// <summary>What has changed in the old process since <see cref="UpgradeState"/>, and what stays there.</summary>
/// <param name="Image">The differences of the counters (<c>L4Balancer.Core.Handover</c>).</param>
/// <param name="Stayed">Connections that end in the old process.</param>
internal sealed record UpgradeRest(ReadOnlyMemory<byte> Image, int Stayed)
{
    /// <summary>How many reloads the old process has been asked for since the upgrade began, and has held back.</summary>
    public int Reloads { get; init; }

    /// <summary>Who asked for the last of them.</summary>
    public string ReloadAskedBy { get; init; } = "";

    public ReadOnlyMemory<byte> Write() =>
        new UpgradeFieldWriter().Add(1, Image.Span).Add(2, Stayed).Add(3, Reloads).Add(4, ReloadAskedBy).Written;

    /// <exception cref="UpgradeException">It cannot be read.</exception>
    public static UpgradeRest Read(ReadOnlySpan<byte> body)
    {
        var read = new UpgradeRest(default, 0);
        var fields = new UpgradeFieldReader(body);
        while (fields.Next())
        {
            switch (fields.Tag)
            {
                case 1: read = read with { Image = fields.Value.ToArray() }; break;
                case 2: read = read with { Stayed = fields.Count() }; break;
                case 3: read = read with { Reloads = fields.Count() }; break;
                case 4: read = read with { ReloadAskedBy = fields.Text() }; break;
                default: fields.Pass(); break;
            }
        }

        return read;
    }
}
