using System.Runtime.InteropServices;

namespace L4Balancer.Engine.Linux;

/// <summary>The result of a system call: a value of zero or more, or an errno. Everyday network errors are returned this way.</summary>
internal readonly struct SysResult
{
    private readonly nint _value;

    private SysResult(nint value) => _value = value;

    public bool IsError => _value < 0;

    /// <summary>Bytes moved, or a descriptor; meaningful only if there is no error.</summary>
    public int Value => (int)_value;

    public Errno Errno => _value < 0 ? (Errno)(-_value) : Errno.None;

    /// <summary>Call directly after the system call, before any other call can change errno.</summary>
    public static SysResult From(nint returned) => returned >= 0 ? new(returned) : new(-Marshal.GetLastSystemError());

    public static SysResult Error(Errno errno) => new(-(nint)errno);

    /// <param name="value">Zero or more.</param>
    public static SysResult Of(int value) => new(value);

    public override string ToString() => IsError ? Errno.ToString() : Value.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
