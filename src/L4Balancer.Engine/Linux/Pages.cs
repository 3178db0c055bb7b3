namespace L4Balancer.Engine.Linux;

/// <summary>Memory mapped directly from the kernel, which gets it back at once on unmap: memory freed by free(3) may stay in the process.</summary>
internal static unsafe class Pages
{
    /// <exception cref="InvalidOperationException">The kernel provides no memory.</exception>
    public static byte* Map(int length)
    {
        void* mapped = Libc.mmap(null, (nuint)length, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_PRIVATE | Libc.MAP_ANONYMOUS, -1, 0);
        return mapped == Libc.MAP_FAILED ? throw new InvalidOperationException("mmap: out of memory") : (byte*)mapped;
    }

    public static void Unmap(byte* mapped, int length) => _ = Libc.munmap(mapped, (nuint)length);
}
