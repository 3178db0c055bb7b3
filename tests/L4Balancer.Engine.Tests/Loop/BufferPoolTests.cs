using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Loop;

namespace L4Balancer.Engine.Tests.Loop;

/// <summary>Buffers are as many as are needed at a time, and go back to the system afterwards.</summary>
[NonParallelizable]
internal sealed unsafe class BufferPoolTests
{
    [Test]
    public void Each_is_somebody_s_alone()
    {
        using var pool = new BufferPool(new HeldMemory(long.MaxValue));
        int[] rented = [.. Enumerable.Range(0, 200).Select(_ => pool.Rent())];
        foreach (int index in rented)
        {
            new Span<byte>(pool[index], BufferPool.Size).Fill((byte)index);
        }

        Assert.That(pool.InUse, Is.EqualTo(200));
        Assert.That(rented, Is.Unique);
        foreach (int index in rented)
        {
            Assert.That(new Span<byte>(pool[index], BufferPool.Size).IndexOfAnyExcept((byte)index), Is.EqualTo(-1));
            Assert.That((nint)pool[index], Is.Not.EqualTo((nint)pool.Scratch));
        }
    }

    [Test]
    public void It_rents_and_takes_back_as_a_set_would()
    {
        using var pool = new BufferPool(new HeldMemory(long.MaxValue));
        var random = new Random(11);
        Dictionary<int, byte> rented = [];
        for (int i = 0; i < 20_000; i++)
        {
            bool more = random.Next(400) > rented.Count;
            if (rented.Count == 0 || more)
            {
                int index = pool.Rent();
                byte mark = (byte)random.Next(256);
                rented.Add(index, mark);
                pool[index][BufferPool.Size - 1] = mark;
            }
            else
            {
                int index = rented.Keys.ElementAt(random.Next(rented.Count));
                Assert.That(pool[index][BufferPool.Size - 1], Is.EqualTo(rented[index]));
                pool.Return(index);
                rented.Remove(index);
            }

            Assert.That(pool.InUse, Is.EqualTo(rented.Count));
        }
    }

    [Test]
    public void After_a_rush_the_memory_goes_back_to_the_system()
    {
        const int rush = 2000;
        using var pool = new BufferPool(new HeldMemory(long.MaxValue));
        long before = ResidentBytes();
        int[] rented = [.. Enumerable.Range(0, rush).Select(_ => pool.Rent())];
        foreach (int index in rented)
        {
            new Span<byte>(pool[index], BufferPool.Size).Fill(1);
        }

        long during = ResidentBytes() - before;
        Array.ForEach(rented, pool.Return);
        long after = ResidentBytes() - before;

        // 64 idle buffers are 4 MiB; the rest is the C library's, which may keep some, and other tests'.
        TestContext.Out.WriteLine($"{during >> 20} MiB in the rush, {after >> 20} MiB after it");
        Assert.That(during, Is.GreaterThan((long)rush * BufferPool.Size * 3 / 4));
        Assert.That(after, Is.LessThan(during / 3));
        Assert.That(pool.InUse, Is.Zero);
    }

    private static long ResidentBytes() =>
        long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], null) * Environment.SystemPageSize;
}
