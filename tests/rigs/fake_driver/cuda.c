/* A stand-in for libcuda.so.1: the calls of the driver API that tell what a machine has, healthy unless the settings
 * say otherwise. Settings (see fk.h): cuda gpus name cc mem.total bus, and cuda.gpus where CUDA sees fewer than NVML.
 */
#include "fk.h"

enum { OK = 0, INVALID_VALUE = 1, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101 };

typedef struct { int code; const char *name, *text; } Error;
static const Error errors[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {34, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"},
    {804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "forward compatibility was attempted on non supported HW"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};
static int started;

static int count(void) { return (int)fk_number(-1, "cuda.gpus", fk_number(-1, "gpus", 1)); }

static const Error *describe(int code) {
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == code) return &errors[i];
    return NULL;
}
EXPORT int cuGetErrorName(int code, const char **out) {
    GUARD(-1);
    const Error *error = describe(code);
    *out = error ? error->name : NULL;
    return error ? OK : INVALID_VALUE;
}
EXPORT int cuGetErrorString(int code, const char **out) {
    GUARD(-1);
    const Error *error = describe(code);
    *out = error ? error->text : NULL;
    return error ? OK : INVALID_VALUE;
}

EXPORT int cuDriverGetVersion(int *out) { GUARD(-1); *out = (int)fk_number(-1, "cuda", 12020); return OK; }
EXPORT int cuInit(unsigned flags) {
    GUARD(-1);
    (void)flags;
    if (!count()) return NO_DEVICE;
    started = 1;
    return OK;
}
EXPORT int cuDeviceGetCount(int *out) { GUARD(-1); *out = started ? count() : 0; return started ? OK : NOT_INITIALIZED; }
EXPORT int cuDeviceGet(int *out, int ordinal) {
    GUARD(ordinal);
    if (!started) return NOT_INITIALIZED;
    *out = ordinal;
    return ordinal >= 0 && ordinal < count() ? OK : INVALID_DEVICE;
}

#define READY(device)                                 \
    do {                                              \
        GUARD(device);                                \
        if (!started) return NOT_INITIALIZED;         \
        if ((device) >= count()) return INVALID_DEVICE; \
    } while (0)

EXPORT int cuDeviceGetName(char *out, int room, int d) { READY(d); fk_copy(d, "name", "NVIDIA A100-SXM4-80GB", out, (size_t)room); return OK; }
EXPORT int cuDeviceTotalMem_v2(size_t *out, int d) { READY(d); *out = (size_t)fk_number(d, "mem.total", 85899345920ull); return OK; }
EXPORT int cuDeviceGetPCIBusId(char *out, int room, int d) {
    READY(d);
    snprintf(out, (size_t)room, "0000:%02X:00.0", (unsigned)fk_number(d, "bus", 0x10u + (unsigned)d) & 0xff);
    return OK;
}
EXPORT int cuDeviceComputeCapability(int *major, int *minor, int d) {
    READY(d);
    int both = (int)fk_number(d, "cc", 80);
    *major = both / 10;
    *minor = both % 10;
    return OK;
}
EXPORT int cuDeviceGetAttribute(int *out, int attribute, int d) {
    READY(d);
    int both = (int)fk_number(d, "cc", 80);
    *out = attribute == 75 ? both / 10 : attribute == 76 ? both % 10 : 1;
    return OK;
}
EXPORT int cuDeviceGetUuid(unsigned char *out, int d) { READY(d); memset(out, 0xfa, 16); out[15] = (unsigned char)d; return OK; }
