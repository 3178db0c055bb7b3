using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>Values that may be used once: names of pools, addresses of backends. The second use is the mistake.</summary>
/// <param name="scope">What they are unique among, for the message: <c>the backends of a pool</c>.</param>
internal sealed class Claims<T>(string scope)
    where T : notnull
{
    private readonly Dictionary<T, TomlPosition> _first = [];

    public ICollection<T> Values => _first.Keys;

    /// <summary>False, with an error at the setting, where another has the value already.</summary>
    public bool TryClaim(T value, Setting setting)
    {
        if (_first.TryAdd(value, setting.Position))
        {
            return true;
        }

        string shown = Quoted.Text(setting.Node is TomlString text ? text.Value : value.ToString() ?? "");
        return setting.Reject($"{shown} stands at {_first[value]} already; allowed: once among {scope}");
    }
}
