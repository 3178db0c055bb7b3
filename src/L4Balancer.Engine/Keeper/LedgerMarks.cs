using L4Balancer.Engine.Ledger;
using Microsoft.Win32.SafeHandles;

namespace L4Balancer.Engine.Keeper;

/// <summary>Frees entries in the ledger of a process that has ended, one byte each. One thread at a time.</summary>
internal sealed class LedgerMarks : IDisposable
{
    private static readonly byte[] FreeState = [(byte)EntryState.Free];

    private readonly SafeFileHandle? _file;

    public LedgerMarks(string path)
    {
        try
        {
            _file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // There is none: nothing is read from it either.
        }
    }

    /// <param name="entry">Where the entry begins; its memory is allocated, so that this needs none.</param>
    public void Free(long entry)
    {
        try
        {
            if (_file is not null)
            {
                RandomAccess.Write(_file, FreeState, entry);
            }
        }
        catch (IOException)
        {
            // Only an heir of this process would miss it.
        }
    }

    public void Dispose() => _file?.Dispose();
}
