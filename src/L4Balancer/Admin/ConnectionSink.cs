using System.Collections;
using L4Balancer.Engine;

namespace L4Balancer.Admin;

/// <summary>A target of an engine's listing that processes each connection when it is added, instead of storing all.</summary>
internal abstract class ConnectionSink : ICollection<OpenConnection>
{
    public abstract int Count { get; }

    public bool IsReadOnly => false;

    public abstract void Add(OpenConnection item);

    public void Clear() => throw new NotSupportedException();

    public bool Contains(OpenConnection item) => throw new NotSupportedException();

    public void CopyTo(OpenConnection[] array, int arrayIndex) => throw new NotSupportedException();

    public bool Remove(OpenConnection item) => throw new NotSupportedException();

    public IEnumerator<OpenConnection> GetEnumerator() => throw new NotSupportedException();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
