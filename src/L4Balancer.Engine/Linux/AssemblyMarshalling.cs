using System.Runtime.CompilerServices;

// Every declaration is blittable, so that calls need no marshalling stub.
[assembly: DisableRuntimeMarshalling]
