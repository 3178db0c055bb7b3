using System.Runtime.CompilerServices;

// Every declaration is blittable: no stub stands between the code and the call.
[assembly: DisableRuntimeMarshalling]
