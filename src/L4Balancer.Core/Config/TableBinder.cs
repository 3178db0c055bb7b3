using System.Collections.Immutable;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>
/// Reads the keys of one table by its schema. The constructor reports unknown keys and keys that are not supported yet. Each method
/// returns the value of one key, or the fallback if the key is absent or its value is wrong and was reported.
/// </summary>
internal sealed class TableBinder
{
    private readonly SchemaTable _schema;
    private readonly TomlTable _table;
    private readonly string _path;
    private HashSet<string>? _misspelt;

    /// <param name="schema">The keys this table may have.</param>
    /// <param name="table">The parsed table.</param>
    /// <param name="path">Its dotted key, <c>pools[0].health</c>; empty for the file itself.</param>
    /// <param name="errors">Receives the errors.</param>
    public TableBinder(SchemaTable schema, TomlTable table, string path, ErrorCollector errors)
    {
        _schema = schema;
        _table = table;
        _path = path;
        Errors = errors;
        foreach (TomlEntry entry in table.Entries)
        {
            if (!schema.TryGet(entry.Key, out SchemaKey? key))
            {
                ReportUnknown(entry);
            }
            else if (key.Form == KeyForm.NotYet)
            {
                errors.Add(entry.KeyPosition, KeyOf(entry.Key), "not supported yet; leave it out");
            }
        }
    }

    public ErrorCollector Errors { get; }

    public TomlPosition Position => _table.Position;

    /// <summary>Where the key stands; if it does not, where the table begins.</summary>
    public TomlPosition PositionOf(string key) => _table.TryGet(key, out TomlEntry? entry) ? entry.KeyPosition : Position;

    /// <summary>The table as a setting, for errors about the whole table.</summary>
    public Setting Whole => new(_table, _path, Errors);

    public string KeyOf(string key) => _path.Length == 0 ? Quoted.Key(key) : $"{_path}.{Quoted.Key(key)}";

    /// <summary>Whether the table has the key, with any value, or a misspelt key that was probably meant to be it.</summary>
    public bool Mentions(string key) => _table.TryGet(key, out _) || _misspelt?.Contains(key) == true;

    public bool HasTable(string key) => _table.TryGet(key, out TomlEntry? entry) && entry.Value is TomlTable;

    /// <summary>Whether the key was reported as misspelt or as not supported yet, so that its absence is not another mistake.</summary>
    public bool WasReported(string key) => _misspelt?.Contains(key) == true || (_schema.IsReserved(key) && _table.TryGet(key, out _));

    /// <summary>A key that is not supported yet has no value; the constructor has reported it.</summary>
    public bool TryGet(string key, out Setting setting)
    {
        if (_schema.IsReserved(key))
        {
            setting = default;
            return false;
        }

        _schema.Working(key, KeyForm.Value);
        bool found = _table.TryGet(key, out TomlEntry? entry);
        setting = found ? new Setting(entry!.Value, KeyOf(key), Errors) : default;
        return found;
    }

    /// <summary>Like <see cref="TryGet"/>, for a required key: its absence is reported at the table's header.</summary>
    public bool TryRequire(string key, string wanted, out Setting setting)
    {
        bool found = TryGet(key, out setting);
        if (!found)
        {
            ReportMissing(key, wanted);
        }

        return found;
    }

    public void ReportMissing(string key, string wanted)
    {
        if (!Mentions(key))
        {
            Errors.AddIfWhole(Position, KeyOf(key), $"missing; needed: {wanted}");
        }
    }

    public int Integer(string key, int fallback, int minimum, int maximum) =>
        TryGet(key, out Setting setting) && setting.TryInteger(minimum, maximum, out int value) ? value : fallback;

    public double Number(string key, double fallback, double minimum, double maximum) =>
        TryGet(key, out Setting setting) && setting.TryNumber(minimum, maximum, out double value) ? value : fallback;

    public ByteSize Size(string key, ByteSize fallback, long minimum, long maximum) =>
        TryGet(key, out Setting setting) && setting.TrySize(minimum, maximum, out ByteSize value) ? value : fallback;

    public bool Boolean(string key, bool fallback) =>
        TryGet(key, out Setting setting) && setting.TryBoolean(out bool value) ? value : fallback;

    public TimeSpan Duration(string key, TimeSpan fallback, TimeSpan minimum, TimeSpan maximum) =>
        TryGet(key, out Setting setting) && setting.TryDuration(minimum, maximum, out TimeSpan value) ? value : fallback;

    /// <summary>A duration that the kernel accepts in whole seconds.</summary>
    public TimeSpan WholeSeconds(string key, TimeSpan fallback, TimeSpan minimum, TimeSpan maximum)
    {
        if (!TryGet(key, out Setting setting) || !setting.TryDuration(minimum, maximum, out TimeSpan value))
        {
            return fallback;
        }

        string allowed = $"\"{Config.Duration.Format(minimum)}\" to \"{Config.Duration.Format(maximum)}\"";
        bool whole = value.Ticks % TimeSpan.TicksPerSecond == 0
            || setting.Reject($"\"{Config.Duration.Format(value)}\" is not a whole number of seconds; allowed: {allowed}");
        return whole ? value : fallback;
    }

    public T Choice<T>(string key, T fallback, Choice<T> choice) =>
        TryGet(key, out Setting setting) && setting.TryChoice(choice, out T value) ? value : fallback;

    /// <summary>A table; an empty one if the file has none, so that its binding fills in the defaults.</summary>
    public TableBinder Table(string key)
    {
        SchemaTable schema = _schema.Working(key, KeyForm.Table).Table!;
        TomlTable table = new(Position, []);
        if (_table.TryGet(key, out TomlEntry? entry))
        {
            table = entry.Value as TomlTable ?? table;
            if (entry.Value is not TomlTable)
            {
                string wanted = schema == ConfigSchema.Keepalive ? "an inline table like { idle = \"60s\" }" : $"one table {schema.Header}";
                new Setting(entry.Value, KeyOf(key), Errors).WrongType(wanted);
            }
        }

        return new TableBinder(schema, table, KeyOf(key), Errors);
    }

    /// <summary>The headers of an array of tables; empty if it is none.</summary>
    public IEnumerable<(TomlPosition Position, string Key)> PlacesOf(string key) =>
        _table.TryGet(key, out TomlEntry? entry) && entry.Value is TomlArray array
            ? array.Items.Select((item, i) => (item.Position, $"{KeyOf(key)}[{i}]")) : [];

    /// <summary>An array of tables; empty if the file has none.</summary>
    public ImmutableArray<TableBinder> Tables(string key)
    {
        SchemaTable schema = _schema.Working(key, KeyForm.Tables).Table!;
        if (!_table.TryGet(key, out TomlEntry? entry))
        {
            return [];
        }

        Setting whole = new(entry.Value, KeyOf(key), Errors);
        if (entry.Value is TomlTable single)
        {
            // [pools] was written for [[pools]]. The content is still read, so that its errors are reported in the same run.
            whole.Reject($"must be an array of tables; write {schema.Header}");
            return [new TableBinder(schema, single, $"{whole.Key}[0]", Errors)];
        }

        if (!whole.TryItems($"an array of tables, {schema.Header}", out ImmutableArray<Setting> items))
        {
            return [];
        }

        if (items.IsEmpty)
        {
            whole.Reject($"is empty; needed: at least one {schema.Header}");
        }

        ImmutableArray<TableBinder>.Builder tables = ImmutableArray.CreateBuilder<TableBinder>(items.Length);
        foreach (Setting item in items)
        {
            if (item.Node is TomlTable table)
            {
                tables.Add(new TableBinder(schema, table, item.Key, Errors));
            }
            else
            {
                item.WrongType($"a table of {schema.Header}");
            }
        }

        return tables.ToImmutable();
    }

    private void ReportUnknown(TomlEntry entry)
    {
        if (Errors.IsFull)
        {
            // Comparing a key with all known ones takes microseconds, and a file may have millions.
            Errors.Add(entry.KeyPosition, "", "");
            return;
        }

        string? elsewhere = OtherNames.Of(entry.Key) is string ours && _schema.Works(ours) ? ours : null;
        string? meant = elsewhere ?? NearestName.Meant(entry.Key, _schema.Keys.Where(static k => k.Form != KeyForm.NotYet).Select(static k => k.Name));
        if (meant is not null)
        {
            (_misspelt ??= []).Add(meant);
        }

        string[] homes = meant is null ? ConfigSchema.TablesWith(entry.Key, _schema) : [];
        string advice = elsewhere is not null ? $"; its name here is \"{elsewhere}\""
            : meant is not null ? $"; the nearest known key is \"{meant}\""
            : homes.Length > 0 ? $"; it is a key of {string.Join(" and ", homes)}" : "";
        Errors.Add(entry.KeyPosition, KeyOf(entry.Key), $"unknown key in {_schema.Header}{advice}");
    }
}
