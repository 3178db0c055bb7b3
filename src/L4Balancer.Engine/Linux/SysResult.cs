using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>What a system call answered: a value of zero or more, or an errno. What a network does every day is one of both.</summary>
internal readonly struct SysResult
{
    private readonly nint _value;

    private SysResult(nint value) => _value = value;

    public bool IsError => _value < 0;

    /// <summary>Bytes moved, or a descriptor; only meaningful without an error.</summary>
    public int Value => (int)_value;

    public Errno Errno => _value < 0 ? (Errno)(-_value) : Errno.None;

    /// <summary>Directly after the call, before anything else can touch errno.</summary>
    public static SysResult From(nint returned) => returned >= 0 ? new(returned) : new(-Marshal.GetLastSystemError());

    public static SysResult Error(Errno errno) => new(-(nint)errno);

    public override string ToString() => IsError ? Errno.ToString() : Value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
