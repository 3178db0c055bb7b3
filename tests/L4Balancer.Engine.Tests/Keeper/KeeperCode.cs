using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using L4Balancer.Engine.Keeper;

namespace L4Balancer.Engine.Tests.Keeper;

/// <summary>
/// The keeper's code in a library that this process loads: the same source as in the native executable, where it is linked in. Tests run compiled just
/// in time, so they have no code of their own that another process could run.
/// </summary>
[SupportedOSPlatform("linux")]
internal static class KeeperCode
{
    // As in Keeper.targets, but for a library; nothing may be undefined.
    private const string Flags =
        "-std=gnu11 -O2 -ffreestanding -nostdlib -fPIC -fno-stack-protector -fno-asynchronous-unwind-tables -fvisibility=hidden -Wall -Wextra -Werror -shared -Wl,-z,defs";

    private static readonly Lazy<(string? Library, string Fault)> Compiled = new(Compile);

    /// <summary>Skips the test where there is no C compiler.</summary>
    /// <returns>The path of the library.</returns>
    public static string Require()
    {
        (string? library, string fault) = Compiled.Value;
        if (library is null)
        {
            Assert.Ignore($"The keeper cannot be compiled here: {fault}");
        }

        return library!;
    }

    /// <summary>Lets this process start keepers by the library. Once for each process.</summary>
    public static void Use(string library) => NativeLibrary.SetDllImportResolver(
        typeof(KeeperProcess).Assembly, (name, _, _) => name == "l4b_keeper" ? NativeLibrary.Load(library) : 0);

    private static (string? Library, string Fault) Compile()
    {
        if (RuntimeInformation.ProcessArchitecture is not (Architecture.X64 or Architecture.Arm64) || !OperatingSystem.IsLinux())
        {
            return (null, "it is written for Linux on x86-64 and arm64");
        }

        string source = Path.Combine(AppContext.BaseDirectory, "keeper.c");
        string library = Path.Combine(AppContext.BaseDirectory, "keeper-under-test.so");
        foreach (string compiler in (string[])["clang", "gcc"])
        {
            try
            {
                var start = new ProcessStartInfo(compiler, [.. Flags.Split(' '), source, "-o", library]) { RedirectStandardError = true };
                using Process process = Process.Start(start)!;
                string errors = process.StandardError.ReadToEnd();
                process.WaitForExit();
                return process.ExitCode == 0 ? (library, "") : throw new InvalidOperationException(errors);
            }
            catch (Win32Exception)
            {
            }
        }

        return (null, "no clang, no gcc");
    }
}
