using System.Runtime.Versioning;
using L4Balancer.Core.Addressing;
using L4Balancer.Engine;
using L4Balancer.Upgrade;
using L4Balancer.Web;

namespace L4Balancer.Hosting;

/// <summary>
/// The start of a daemon that replaces another process: the steps of <see cref="NewSide"/>, for <see cref="Daemon"/>, which calls them as it
/// starts. What blocks does so on another thread.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class Takeover(NewSide side) : IDisposable
{
    private UpgradeState? _state;

    public NewSide Side => side;

    public UpgradePreparation? Preparation { get; private set; }

    /// <summary>Who the old process is.</summary>
    public UpgradeHello? Old { get; private set; }

    /// <summary>Valid after <see cref="TakeStateAsync"/>.</summary>
    public UpgradeState State => _state!;

    /// <summary>The sockets that take connections.</summary>
    public IReadOnlyList<ListeningDescriptor> Listening =>
        [.. State.Sockets.Where(static s => s.Part == UpgradeSocket.Listener).Select(Listener)];

    /// <summary>Those of the control plane.</summary>
    public IReadOnlyList<NamedDescriptor> ControlSockets =>
        [.. State.Sockets.Where(static s => s.Part != UpgradeSocket.Listener).Select(static s => new NamedDescriptor(s.Name, s.Descriptor))];

    /// <exception cref="UpgradeException">The upgrade cannot go on.</exception>
    public Task PrepareAsync(UpgradeHello own) => Task.Run(() =>
    {
        Old = side.Greet(own);
        Preparation = side.Prepare();
    });

    /// <exception cref="UpgradeException">The upgrade cannot go on.</exception>
    public Task TakeStateAsync() => Task.Run(() => _state = side.Prepared());

    /// <exception cref="UpgradeException">The upgrade cannot go on.</exception>
    public Task ServingAsync() => Task.Run(side.Serving);

    public void Dispose() => side.Dispose();

    // An address that this version cannot read matches no bind, so that the socket is closed with a warning.
    private static ListeningDescriptor Listener(UpgradeSocket socket) =>
        new(socket.Descriptor, socket.Name, Parse(socket.Requested), Parse(socket.Bound), socket.IsFromService);

    private static Endpoint Parse(string text) =>
        Endpoint.TryParse(text, out Endpoint endpoint) || Endpoint.TryParseUnix(text, out endpoint) ? endpoint : default;
}
