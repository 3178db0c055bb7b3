namespace L4Balancer.Engine.Linux;

/// <summary>Memory straight from the kernel, which has it back at once when it is unmapped: what malloc(3) frees may stay with us.</summary>
internal static unsafe class Pages
{
    /// <exception cref="InvalidOperationException">The kernel gives none.</exception>
    public static byte* Map(int length)
    {
        void* mapped = Libc.mmap(null, (nuint)length, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS, -1, 0);
        return mapped == Libc.MAP_FAILED ? throw new InvalidOperationException("mmap: out of memory") : (byte*)mapped;
    }

    public static void Unmap(byte* mapped, int length) => _ = Libc.munmap(mapped, (nuint)length);
}
