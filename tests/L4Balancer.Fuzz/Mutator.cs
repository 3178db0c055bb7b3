namespace L4Balancer.Fuzz;

/// <summary>Changes an input in a few places, as a fuzzer does that knows nothing of the code.</summary>
internal sealed class Mutator(Random random, IReadOnlyList<byte[]> fragments)
{
    public byte[] Mutate(byte[] bytes, byte[] other)
    {
        List<byte> mutated = [.. bytes];
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            int at = random.Next(mutated.Count + 1);
            int length = Math.Min(random.Next(1, 9), mutated.Count - at);
            switch (random.Next(6))
            {
                case 0:
                    mutated.RemoveRange(at, length);
                    break;
                case 1:
                    mutated.InsertRange(at, fragments[random.Next(fragments.Count)]);
                    break;
                case 2:
                    mutated.InsertRange(at, mutated.GetRange(at, length));
                    break;
                case 3:
                    mutated.InsertRange(at, other.AsSpan(random.Next(other.Length + 1)));
                    break;
                default:
                    if (at < mutated.Count)
                    {
                        mutated[at] = (byte)random.Next(256);
                    }

                    break;
            }
        }

        return [.. mutated];
    }
}
