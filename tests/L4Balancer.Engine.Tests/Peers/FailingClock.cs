namespace L4Balancer.Engine.Tests.Peers;

/// <summary>The system's clock, which throws while a test wants it to: a fault at a place where nothing should throw.</summary>
internal sealed class FailingClock : TimeProvider
{
    private int _failures;
    private volatile bool _fails;

    public bool Fails
    {
        get => _fails;
        set => _fails = value;
    }

    public int Failures => Volatile.Read(ref _failures);

    public override long GetTimestamp()
    {
        if (_fails)
        {
            Interlocked.Increment(ref _failures);
            throw new InvalidOperationException("A fault that the test put here.");
        }

        return base.GetTimestamp();
    }
}
