using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Linux;
using L4Balancer.Engine.Loop;
using L4Balancer.Engine.Tests.Epoll;

namespace L4Balancer.Engine.Tests.Loop;

/// <summary>Kernel pipes are few, are given back, and are never handed on with somebody's bytes in them.</summary>
[NonParallelizable]
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class PipePoolTests : IDisposable
{
    private const int Limit = 4;

    private readonly PipePool _pool = new(Limit, new HeldMemory(long.MaxValue));

    public void Dispose()
    {
        SystemFault.Installed = null;
        _pool.Dispose();
    }

    [Test]
    public void No_more_than_the_limit_are_rented()
    {
        short[] rented = [.. RentAll()];
        Assert.That(rented, Has.Length.EqualTo(Limit).And.Unique);
        Assert.That(_pool.TryRent(out short none), Is.False);
        Assert.That((none, _pool.InUse), Is.EqualTo((PipePool.None, Limit)));

        _pool.Return(rented[2], clean: true);
        Assert.That(_pool.TryRent(out short again), Is.True);
        Assert.That(again, Is.EqualTo(rented[2]));
    }

    [Test]
    public void A_clean_pipe_is_used_again()
    {
        Assert.That(_pool.TryRent(out short first), Is.True);
        KernelPipe pipe = _pool[first];
        _pool.Return(first, clean: true);
        Assert.That(_pool.InUse, Is.Zero);
        Assert.That(_pool.TryRent(out short second), Is.True);

        Assert.That(_pool[second], Is.EqualTo(pipe));
        Assert.That(pipe.Capacity, Is.GreaterThanOrEqualTo(64 * 1024));
    }

    [Test]
    public void What_was_left_in_a_pipe_is_not_found_by_its_next_user()
    {
        Assert.That(_pool.TryRent(out short dirty), Is.True);
        Write(_pool[dirty], "somebody's"u8);
        _pool.Return(dirty, clean: false);
        Assert.That(_pool.TryRent(out short next), Is.True);

        Assert.That(ReadErrno(_pool[next]), Is.EqualTo(Errno.EAGAIN), "the pipe is empty");
    }

    [Test]
    public void After_a_refusal_the_kernel_is_left_alone_for_a_while()
    {
        var fault = new FailingCalls(SystemCall.Pipe, Errno.EMFILE);
        SystemFault.Installed = fault;
        for (int i = 0; i < 500; i++)
        {
            Assert.That(_pool.TryRent(out short none), Is.False);
            Assert.That((none, _pool.InUse), Is.EqualTo((PipePool.None, 0)));
        }

        Assert.That(fault.Count, Is.EqualTo(1));
        SystemFault.Installed = null;
        int refused = 0;
        while (!_pool.TryRent(out _))
        {
            Assert.That(++refused, Is.LessThan(5000), "it asks again some day");
        }
    }

    [Test]
    public void A_place_that_cannot_be_reopened_is_nobody_s()
    {
        Assert.That(_pool.TryRent(out short dirty), Is.True);
        _pool.Return(dirty, clean: false);
        SystemFault.Installed = new FailingCalls(SystemCall.Pipe, Errno.ENFILE);

        Assert.That(_pool.TryRent(out short none), Is.False);
        Assert.That((none, _pool.InUse), Is.EqualTo((PipePool.None, 0)));
    }

    [Test]
    public void A_pipe_of_another_process_is_rented_with_its_bytes_and_used_again_when_they_are_gone()
    {
        KernelPipe given = Open();
        Write(given, "of another"u8);
        Assert.That(_pool.TryAdopt(given, out short index), Is.True);
        Assert.That((_pool[index], _pool.InUse, _pool[index].Unread), Is.EqualTo((given, 1, 10)));

        _pool.Return(index, clean: false);
        Assert.That(_pool.InUse, Is.Zero);
        Assert.That(_pool.TryRent(out short next), Is.True);
        Assert.That(_pool[next].Unread, Is.Zero);
    }

    [Test]
    public void Pipes_of_another_process_displace_idle_ones_and_no_others()
    {
        short[] rented = [.. RentAll()];
        KernelPipe refused = Open();
        Assert.That(_pool.TryAdopt(refused, out short none), Is.False);
        Assert.That((none, _pool.InUse), Is.EqualTo((PipePool.None, Limit)));

        KernelPipe idle = _pool[rented[1]];
        _pool.Return(rented[1], clean: true);
        Assert.That(_pool.TryAdopt(refused, out short index), Is.True);
        Assert.That((_pool[index], _pool.InUse), Is.EqualTo((refused, Limit)));
        Assert.That(_pool[index], Is.Not.EqualTo(idle));
    }

    private static KernelPipe Open()
    {
        Assert.That(KernelPipe.TryOpen(64 * 1024, 4096, out KernelPipe pipe), Is.True);
        return pipe;
    }

    private IEnumerable<short> RentAll()
    {
        while (_pool.TryRent(out short index))
        {
            yield return index;
        }
    }

    private static unsafe void Write(KernelPipe pipe, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* from = bytes)
        {
            Assert.That(Libc.write(pipe.WriteEnd, from, (nuint)bytes.Length), Is.EqualTo((nint)bytes.Length));
        }
    }

    private static unsafe Errno ReadErrno(KernelPipe pipe)
    {
        byte one;
        return SysResult.From(Libc.read(pipe.ReadEnd, &one, 1)).Errno;
    }
}
