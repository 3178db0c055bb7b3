using System.Text;
using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;
using L4Balancer.Core.Inspection;
using L4Balancer.Core.Tests.Inspection;

namespace L4Balancer.Core.Tests.Connections;

/// <summary>One connection that is being set up: its state machine, its record and the last step it asked for.</summary>
internal sealed class SetupAttempt(SetupScene scene)
{
    private ConnectionSetup _setup;
    private ConnectionRecord _record;

    public SetupStep Step { get; private set; }

    public ref ConnectionRecord Record => ref _record;

    public SetupAction Action => Step.Action;

    public int Backend => _record.Backend is { } state ? scene.IndexOf(state) : -1;

    public void Accepted(FourTuple tuple) =>
        Step = _setup.Accepted(ref _record, scene.Snapshot, scene.Snapshot.Listeners[0], tuple, scene.Now);

    public bool AwaitsProxyHeader => _setup.AwaitsProxyHeader;

    /// <summary>The client has sent this request.</summary>
    public void Request(string head)
    {
        InspectionResult result = RequestHead.TryParse(Encoding.Latin1.GetBytes(head), _setup.InspectLimit, out RequestHead request);
        Assert.That(result.Outcome, Is.EqualTo(InspectionOutcome.Parsed), head);
        Step = _setup.HeadRead(ref _record, new Inspected(request), scene.Snapshot, scene.Now);
    }

    /// <summary>The client has sent a ClientHello.</summary>
    public void Hello(string name, params string[] protocols)
    {
        byte[] bytes = HelloBuilder.Hello(
            name.Length == 0 ? [] : HelloBuilder.ServerName(name), protocols.Length == 0 ? [] : HelloBuilder.Alpn(protocols));
        byte[] scratch = new byte[ClientHello.ScratchLength(bytes.Length)];
        InspectionResult result = ClientHello.TryParse(bytes, _setup.InspectLimit, scratch, out ClientHello hello);
        Assert.That(result.Outcome, Is.EqualTo(InspectionOutcome.Parsed), name);
        Step = _setup.HeadRead(ref _record, new Inspected(hello), scene.Snapshot, scene.Now);
    }

    public void Unreadable() => Step = _setup.HeadUnreadable(ref _record, scene.Snapshot, scene.Now);

    /// <summary>A PROXY header has named this client, or none.</summary>
    public void Proxied(string? client, string destination = "203.0.113.1:443") => Step = _setup.ProxyHeaderRead(
        ref _record, client is null ? null : new FourTuple(SetupScene.At(client), SetupScene.At(destination)), scene.Snapshot, scene.Now);

    public void Connected(string source = "127.0.0.1:5000") => Step = _setup.Connected(ref _record, SetupScene.At(source), scene.Now);

    public void Fail(ConnectFailure failure) => Step = _setup.ConnectFailed(ref _record, failure, scene.Now);

    public void Abandon(CloseReason reason) => Step = _setup.Abandon(ref _record, reason, scene.Now);

    /// <summary>Lets the time of the last step's deadline come, and says so.</summary>
    /// <param name="isLate">The engine itself stood still meanwhile.</param>
    public void MissDeadline(bool isLate = false)
    {
        scene.Pass(Step.Deadline - scene.Now);
        Step = _setup.DeadlinePassed(ref _record, scene.Snapshot, isLate, scene.Now);
    }
}
