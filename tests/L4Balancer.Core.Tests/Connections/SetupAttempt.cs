using L4Balancer.Core.Accounting;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Connections;

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
