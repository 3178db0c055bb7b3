using System.Runtime.Versioning;
using L4Balancer.Engine.Linux;

namespace L4Balancer.Engine.Packets;

/// <summary>
/// What one interface has in the directory of an instance: <c>link</c>, or the directory <c>classifier</c> in its place; and <c>maps</c>, in which beside the
/// maps a directory has the name of their layout. Maps that are not in force yet lie in <c>new</c>. File systems of the type bpf know no files but pins,
/// and names without dots.
/// </summary>
[SupportedOSPlatform("linux")]
internal sealed class PinFolder
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _path;

    /// <param name="instance">The directory of the instance.</param>
    /// <param name="interfaceName">A name has no colon (netdevice(7)), but may have dots.</param>
    public PinFolder(string instance, string interfaceName)
    {
        Interface = interfaceName;
        _path = Path.Combine(instance, interfaceName.Replace('.', ':'));
    }

    public string Interface { get; }

    public string Link => Path.Combine(_path, "link");

    /// <summary>The maps in force.</summary>
    public string Maps => Path.Combine(_path, "maps");

    /// <summary>Maps that are being made.</summary>
    public string NewMaps => Path.Combine(_path, "new");

    /// <summary>Is there if the program is a classifier of tc(8).</summary>
    private string Classifier => Path.Combine(_path, "classifier");

    public bool HasClassifier => Directory.Exists(Classifier);

    /// <summary>The interfaces that have something in the directory of an instance.</summary>
    public static IReadOnlyList<PinFolder> In(string instance) => Directory.Exists(instance)
        ? [.. Directory.EnumerateDirectories(instance).Select(d => new PinFolder(instance, Path.GetFileName(d).Replace(':', '.')))]
        : [];

    public void Prepare() => Directory.CreateDirectory(_path, OwnerOnly);

    public void MarkClassifier() => Directory.CreateDirectory(Classifier, OwnerOnly);

    public void UnmarkClassifier()
    {
        if (HasClassifier)
        {
            Directory.Delete(Classifier);
        }
    }

    /// <summary>The maps that are in force, if they are complete and of this layout; after a failure in the middle of a change those that were to be.</summary>
    public (string Path, PacketLimits Limits)? FindMaps()
    {
        foreach (string path in new[] { Maps, NewMaps })
        {
            if (Directory.Exists(path) && Directory.EnumerateDirectories(path).Select(d => PacketLayout.Parse(Path.GetFileName(d))).FirstOrDefault()
                is { } limits)
            {
                return (path, limits);
            }
        }

        return null;
    }

    /// <summary>Pins maps in <see cref="NewMaps"/>.</summary>
    public Errno PinNew(IEnumerable<(string Name, int Descriptor)> maps, PacketLimits limits)
    {
        Remove(NewMaps);
        Directory.CreateDirectory(NewMaps, OwnerOnly);
        foreach ((string name, int descriptor) in maps)
        {
            Errno error = Bpf.Pin(descriptor, Path.Combine(NewMaps, name));
            if (error != Errno.None)
            {
                return error;
            }
        }

        Directory.CreateDirectory(Path.Combine(NewMaps, PacketLayout.NameOf(limits)), OwnerOnly);
        return Errno.None;
    }

    /// <summary>The new maps are in force: those before are removed.</summary>
    public void PutNewInForce()
    {
        if (Directory.Exists(NewMaps))
        {
            Remove(Maps);
            Directory.Move(NewMaps, Maps);
        }
    }

    public void DropNew() => Remove(NewMaps);

    /// <summary>Removes everything; what is attached has to be detached before.</summary>
    public void Remove() => Remove(_path);

    private static void Remove(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }
}
