using L4Balancer.Engine.Epoll;
using L4Balancer.Engine.Loop;

namespace L4Balancer.Engine.Tests.Loop;

internal sealed class ChunksTests
{
    [Test]
    public void Growing_moves_and_forgets_nothing()
    {
        var chunks = new Chunks<int>();
        chunks.Grow(0) = 1;
        ref int first = ref chunks[0];
        foreach (int index in new[] { 255, 256, 1000, 70_000, 3 })
        {
            chunks.Grow(index) = index;
        }

        first++;
        using (Assert.EnterMultipleScope())
        {
            Assert.That(chunks.Length, Is.GreaterThan(70_000));
            Assert.That((chunks[0], chunks[3], chunks[255], chunks[256], chunks[70_000]), Is.EqualTo((2, 3, 255, 256, 70_000)));
            Assert.That(chunks[257], Is.Zero);
        }
    }
}
