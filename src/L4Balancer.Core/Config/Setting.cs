using System.Collections.Immutable;
using System.Globalization;
using L4Balancer.Core.Addressing;
using L4Balancer.Core.Toml;

namespace L4Balancer.Core.Config;

/// <summary>
/// One value of the file with its key and position, to be converted to a typed setting. Each <c>Try</c> method either returns a value
/// of the requested type and range, or reports an error and returns false.
/// </summary>
internal readonly record struct Setting(TomlNode Node, string Key, ErrorCollector Errors)
{
    private const int LongestName = 64;

    public TomlPosition Position => Node.Position;

    public bool TryInteger(int minimum, int maximum, out int value)
    {
        value = 0;
        if (Node is not TomlInteger integer)
        {
            return WrongType(string.Create(CultureInfo.InvariantCulture, $"a whole number from {minimum} to {maximum}"));
        }

        if (integer.Value < minimum || integer.Value > maximum)
        {
            return Reject(string.Create(
                CultureInfo.InvariantCulture, $"{integer.Value} is out of range; allowed: {minimum} to {maximum}"));
        }

        value = (int)integer.Value;
        return true;
    }

    /// <summary>Accepts a float or an integer.</summary>
    public bool TryNumber(double minimum, double maximum, out double value)
    {
        value = Node switch { TomlFloat f => f.Value, TomlInteger i => i.Value, _ => double.NaN };
        if (Node is not (TomlFloat or TomlInteger))
        {
            return WrongType(string.Create(CultureInfo.InvariantCulture, $"a number from {minimum} to {maximum}"));
        }

        // Written so that nan, which TOML allows, is outside every range.
        return (value >= minimum && value <= maximum) || Reject(string.Create(
            CultureInfo.InvariantCulture, $"{value} is out of range; allowed: {minimum} to {maximum}"));
    }

    public bool TryBoolean(out bool value)
    {
        value = Node is TomlBoolean { Value: true };
        return Node is TomlBoolean || WrongType("true or false");
    }

    /// <param name="wanted">Description of the expected string, with an example, for the message.</param>
    /// <param name="value">The string's text.</param>
    public bool TryText(string wanted, out string value)
    {
        value = (Node as TomlString)?.Value ?? "";
        return Node is TomlString || WrongType(wanted);
    }

    /// <param name="minimum">The smallest size other than zero, in bytes, as the maximum.</param>
    public bool TrySize(long minimum, long maximum, out ByteSize value)
    {
        value = default;
        if (!TryText("a size: a string like \"16KiB\", \"64MiB\" or \"1GiB\"", out string text))
        {
            return false;
        }

        if (!ByteSize.TryParse(text, out value))
        {
            return Reject($"{Quoted.Text(text)} is not a size; allowed: a whole number with a unit of B, KiB, MiB or GiB, like \"16KiB\", or \"0\"");
        }

        return value.Bytes == 0 || (value.Bytes >= minimum && value.Bytes <= maximum) || Reject(
            $"{Quoted.Text(text)} is out of range; allowed: \"0\", or \"{new ByteSize(minimum)}\" to \"{new ByteSize(maximum)}\"");
    }

    public bool TryDuration(TimeSpan minimum, TimeSpan maximum, out TimeSpan value)
    {
        value = default;
        if (Node is TomlInteger number)
        {
            // The most common mistake is a number without a unit; the message suggests the same number with one.
            long shown = number.Value is >= 0 and <= 31_536_000 ? number.Value : 30;
            return Reject(string.Create(
                CultureInfo.InvariantCulture, $"{number.Value} has no unit; a duration is a string with its unit, like \"{shown}s\""));
        }

        if (!TryText("a duration: a string like \"250ms\", \"2s\", \"5m\" or \"1h\"", out string text))
        {
            return false;
        }

        if (!Duration.TryParse(text, out value))
        {
            return Reject($"{Quoted.Text(text)} is not a duration; allowed: a multiple of 1 ms, written as numbers with the units "
                + "d, h, m, s and ms in this order, like \"250ms\", \"1.5s\" or \"1m30s\"");
        }

        return (value >= minimum && value <= maximum) || Reject(
            $"{Quoted.Text(text)} is out of range; allowed: \"{Duration.Format(minimum)}\" to \"{Duration.Format(maximum)}\"");
    }

    public bool TryChoice<T>(Choice<T> choice, out T value)
    {
        value = default!;
        if (!TryText($"one of {choice.Allowed}", out string word))
        {
            return false;
        }

        string reason = choice.IsNotYet(word) ? "not supported yet" : "not known";
        return choice.TryGet(word, out value) || Reject($"{Quoted.Text(word)} is {reason}; allowed: {choice.Allowed}");
    }

    /// <summary>Names are used in metric labels, URL paths and commands, so only few characters are allowed.</summary>
    public bool TryName(out string value) =>
        TryText("a name", out value)
        && (IsName(value)
            || Reject($"{Quoted.Text(value)} is not a name; allowed: 1 to {LongestName} characters of A-Z a-z 0-9 . _ -"));

    /// <summary>Whether the text may be the name of a pool, a backend or a listener.</summary>
    public static bool IsName(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Length is > 0 and <= LongestName && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
    }

    /// <param name="minimumPort">0 if the system may choose a port.</param>
    /// <param name="value">The address with its port.</param>
    public bool TryEndpoint(int minimumPort, out Endpoint value) => TryEndpoint(minimumPort, "", out value);

    /// <param name="orElse">What else the value may be, for the message.</param>
    public bool TryEndpoint(int minimumPort, string orElse, out Endpoint value)
    {
        value = default;
        const string Form = "an IP address with a port, like \"10.0.0.1:443\" or \"[2001:db8::1]:443\"";
        if (!TryText(Form + orElse, out string text))
        {
            return false;
        }

        if (!Endpoint.TryParse(text, out value))
        {
            return LinkLocal.HasScope(text) ? LinkLocal.RejectScope(this, text) : Reject(AddressAdvice.Of(text, Form + orElse, isName: false));
        }

        return value.Port >= minimumPort
            ? LinkLocal.Check(this, text, value.Address)
            : Reject($"{Quoted.Text(text)} has a port out of range; allowed: {minimumPort} to 65535");
    }

    /// <param name="text">A text that begins with <c>unix:</c>.</param>
    /// <param name="value">The UNIX socket.</param>
    public bool TryUnix(string text, out Endpoint value) => Endpoint.TryParseUnix(text, out value) || Reject(
        $"{Quoted.Text(text)} is not a UNIX socket, like \"unix:/run/chat.sock\"; allowed: an absolute path of up to 107 visible ASCII "
        + "characters without \" and \\");

    public bool TryAddress(out HostAddress value)
    {
        value = default;
        const string Form = "an IP address without a port, like \"10.0.0.1\" or \"2001:db8::1\"";
        if (!TryText(Form, out string text))
        {
            return false;
        }

        if (!HostAddress.TryParse(text, out value))
        {
            return LinkLocal.HasScope(text) ? LinkLocal.RejectScope(this, text) : Reject($"{Quoted.Text(text)} is not {Form}");
        }

        return LinkLocal.Check(this, text, value);
    }

    /// <param name="wanted">Description of the expected items, with an example, for the message.</param>
    /// <param name="items">Each item as a separate setting: <c>bind[1]</c>.</param>
    public bool TryItems(string wanted, out ImmutableArray<Setting> items)
    {
        items = [];
        if (Node is not TomlArray array)
        {
            return WrongType(wanted);
        }

        Setting list = this;
        items = [.. array.Items.Select((node, i) => new Setting(node, $"{list.Key}[{i}]", list.Errors))];
        return true;
    }

    /// <summary>Reports an error at this value. Always returns false, so that a check can return its result.</summary>
    public bool Reject(string message)
    {
        Errors.Add(Node.Position, Key, message);
        return false;
    }

    public bool WrongType(string wanted) => Reject($"must be {wanted}, not {Describe(Node)}");

    private static string Describe(TomlNode node) => node switch
    {
        TomlString => "a string",
        TomlInteger => "an integer",
        TomlFloat => "a float",
        TomlBoolean => "a boolean",
        TomlArray => "an array",
        TomlTable => "a table",
        _ => "a date or time",
    };
}
