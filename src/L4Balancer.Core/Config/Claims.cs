using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>Values that must be unique, such as names of pools and addresses of backends. The second use is reported.</summary>
/// <param name="scope">The set within which they are unique, for the message: <c>the backends of a pool</c>.</param>
internal sealed class Claims<T>(string scope)
    where T : notnull
{
    private readonly Dictionary<T, TomlPosition> _first = [];

    public ICollection<T> Values => _first.Keys;

    /// <summary>Returns false and reports an error at the setting if the value is already used.</summary>
    public bool TryClaim(T value, Setting setting)
    {
        if (_first.TryAdd(value, setting.Position))
        {
            return true;
        }

        string shown = Quoted.Text(setting.Node is TomlString text ? text.Value : value.ToString() ?? "");
        return setting.Reject($"{shown} is already used at {_first[value]}; allowed: once among {scope}");
    }
}
