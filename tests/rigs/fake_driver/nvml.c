/* A stand-in for libnvidia-ml.so.1: enough of NVML to be read by nvidia-ml-py, healthy unless the settings say
 * otherwise. See fk.h for the settings; here are the keys of this file, most of them per device:
 *
 *   gpus driver nvml cuda             the machine (cuda=12020 is CUDA 12.2)
 *   name uuid serial bus minor cc mem.total mem.used procs gprocs mps ("PID:BYTES,PID:BYTES")
 *   ecc (1, 0, na) ecc.pending ecc.vc ecc.vu ecc.ac ecc.au remap.c remap.u remap.pending remap.failure (remap=na)
 *   retired.sbe retired.dbe retired.pending throttle temp temp.slowdown temp.shutdown power power.limit pstate
 *   clock.sm clock.mem clock.sm.max clock.mem.max pcie.gen pcie.gen.max pcie.width pcie.width.max pcie.replay
 *   nvlinks (how many) nvlinkL (state of link L) nvlinkL.errC (counter C) fabric.state fabric.status fabric.health
 *   mig (1, 0, na) mig.devices mig.max computemode persistence util.gpu util.mem vbios gsp gsp.mode virt brand
 *   sram (=na) sram.u sram.exceeded repair (=na) repair.channel repair.tpc fan (=na) bar1 bar1.used c2c (=na)
 *   p2p topo (both per lower device of a pair) fieldN (a field value) xid xid.gpu
 */
#include "fk.h"

typedef unsigned long long u64;
typedef unsigned int u32;
typedef struct { int index; int mig; } Device;

enum { OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
       TIMEOUT = 10, VERSION_MISMATCH = 25 };

#define MAXIMUM 64
static Device devices[MAXIMUM], slices[MAXIMUM * 8];
static int started;

static int count(void) {
    int given = (int)fk_number(-1, "gpus", 1);
    return given > MAXIMUM ? MAXIMUM : given;
}

static int say(int device, const char *key, const char *otherwise, char *out, u32 room) {
    if (fk_absent(device, key)) return NOT_SUPPORTED;
    fk_copy(device, key, otherwise, out, room);
    return OK;
}

#define D(handle) ((handle) ? (handle)->index : -1)
#define READY(handle)                            \
    do {                                         \
        GUARD(D(handle));                        \
        if (!started) return UNINITIALIZED;      \
        if (!(handle)) return INVALID_ARGUMENT;  \
    } while (0)

/* A getter of one number: name, C type, key of the setting, default. */
#define GET(function, type, key, otherwise)                               \
    EXPORT int function(Device *d, type *out) {                           \
        READY(d);                                                         \
        if (fk_absent(d->index, key)) return NOT_SUPPORTED;               \
        *out = (type)fk_number(d->index, key, otherwise);                 \
        return OK;                                                        \
    }
#define GET_TEXT(function, key, otherwise)                                \
    EXPORT int function(Device *d, char *out, u32 room) {                 \
        READY(d);                                                         \
        return say(d->index, key, otherwise, out, room);                  \
    }

EXPORT const char *nvmlErrorString(int code) {
    static const char *const texts[] = {
        "Success", "Uninitialized", "Invalid Argument", "Not Supported", "Insufficient Permissions",
        "Already Initialized", "Not Found", "Insufficient Size", "Insufficient External Power", "Driver Not Loaded",
        "Timeout", "Interrupt Request Issue", "NVML Shared Library Not Found", "Function Not Found",
        "Corrupted infoROM", "GPU is lost", "GPU requires restart", "The operating system has blocked the request.",
        "Driver/library version mismatch", "In use by another client", "Insufficient Memory", "No data",
        "vGPU ECC not supported", "Insufficient Resources", "Frequency not supported", "Argument version mismatch",
        "Deprecated", "System not ready", "No GPUs were found", "Invalid state"};
    if (fk_guard(__func__, -1)) return NULL;
    if (code >= 0 && code < (int)(sizeof texts / sizeof *texts)) return texts[code];
    return "Unknown Error";
}

static int start(void) {
    for (int i = 0; i < MAXIMUM; i++) {
        devices[i].index = i;
        for (int j = 0; j < 8; j++) slices[i * 8 + j] = (Device){i, j + 1};
    }
    started = 1;
    return OK;
}
EXPORT int nvmlInit(void) { GUARD(-1); return start(); }
EXPORT int nvmlInit_v2(void) { GUARD(-1); return start(); }
EXPORT int nvmlInitWithFlags(u32 flags) { GUARD(-1); (void)flags; return start(); }
EXPORT int nvmlShutdown(void) { GUARD(-1); started = 0; return OK; }

#define SYSTEM_TEXT(function, key, otherwise) \
    EXPORT int function(char *out, u32 room) { GUARD(-1); return started ? say(-1, key, otherwise, out, room) : UNINITIALIZED; }
SYSTEM_TEXT(nvmlSystemGetDriverVersion, "driver", "535.104.05")
SYSTEM_TEXT(nvmlSystemGetNVMLVersion, "nvml", "12.535.104.05")
EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *out) { GUARD(-1); *out = (int)fk_number(-1, "cuda", 12020); return OK; }
EXPORT int nvmlSystemGetCudaDriverVersion(int *out) { GUARD(-1); *out = (int)fk_number(-1, "cuda", 12020); return OK; }
EXPORT int nvmlSystemGetProcessName(u32 pid, char *out, u32 room) { GUARD(-1); snprintf(out, room, "process-%u", pid); return OK; }

EXPORT int nvmlDeviceGetCount_v2(u32 *out) {
    GUARD(-1);
    if (!started) return UNINITIALIZED;
    *out = (u32)count();
    return OK;
}
EXPORT int nvmlDeviceGetHandleByIndex_v2(u32 index, Device **out) {
    GUARD(index);
    if (!started) return UNINITIALIZED;
    if (index >= (u32)count()) return INVALID_ARGUMENT;
    *out = &devices[index];
    return OK;
}
EXPORT int nvmlDeviceGetIndex(Device *d, u32 *out) { READY(d); *out = (u32)d->index; return OK; }

GET_TEXT(nvmlDeviceGetName, "name", "NVIDIA A100-SXM4-80GB")
GET_TEXT(nvmlDeviceGetSerial, "serial", "16503200000%02d")
GET_TEXT(nvmlDeviceGetVbiosVersion, "vbios", "92.00.45.00.03")
EXPORT int nvmlDeviceGetUUID(Device *d, char *out, u32 room) {
    READY(d);
    if (d->mig) {
        snprintf(out, room, "MIG-fa4e0000-0000-0000-%04d-0000000000%02d", d->index, d->mig);
        return OK;
    }
    return say(d->index, "uuid", "GPU-fa4e0000-0000-0000-0000-0000000000%02d", out, room);
}
EXPORT int nvmlDeviceGetGspFirmwareVersion(Device *d, char *out) { READY(d); return say(d->index, "gsp", "535.104.05", out, 64); }
EXPORT int nvmlDeviceGetGspFirmwareMode(Device *d, u32 *enabled, u32 *standard) {
    READY(d);
    *enabled = *standard = (u32)fk_number(d->index, "gsp.mode", 1);
    return OK;
}

typedef struct { char legacy[16]; u32 domain, bus, device, id, subsystem; char text[32]; } Pci;
EXPORT int nvmlDeviceGetPciInfo_v3(Device *d, Pci *out) {
    READY(d);
    memset(out, 0, sizeof *out);
    out->bus = (u32)fk_number(d->index, "bus", 0x10u + (u32)d->index);
    out->id = 0x20b210deu;
    snprintf(out->legacy, sizeof out->legacy, "0000:%02X:00.0", out->bus & 0xff);
    snprintf(out->text, sizeof out->text, "00000000:%02X:00.0", out->bus & 0xff);
    return OK;
}

EXPORT int nvmlDeviceGetCudaComputeCapability(Device *d, int *major, int *minor) {
    READY(d);
    int both = (int)fk_number(d->index, "cc", 80);
    *major = both / 10;
    *minor = both % 10;
    return OK;
}

typedef struct { u64 total, available, used; } Memory;
typedef struct { u32 version; u64 total, reserved, available, used; } Memory2;
EXPORT int nvmlDeviceGetMemoryInfo(Device *d, Memory *out) {
    READY(d);
    if (fk_absent(d->index, "mem.total")) return NOT_SUPPORTED;
    out->total = fk_number(d->index, "mem.total", 85899345920ull);
    out->used = fk_number(d->index, "mem.used", 536870912ull);
    out->available = out->total - out->used;
    return OK;
}
EXPORT int nvmlDeviceGetMemoryInfo_v2(Device *d, Memory2 *out) {
    READY(d);
    out->total = fk_number(d->index, "mem.total", 85899345920ull);
    out->used = fk_number(d->index, "mem.used", 536870912ull);
    out->reserved = 0;
    out->available = out->total - out->used;
    return OK;
}
EXPORT int nvmlDeviceGetBAR1MemoryInfo(Device *d, Memory *out) {
    READY(d);
    u64 total = fk_number(d->index, "bar1", 137438953472ull), used = fk_number(d->index, "bar1.used", 4194304);
    *out = (Memory){total, total - used, used};
    return OK;
}
GET(nvmlDeviceGetC2cModeInfoV, u32, "c2c", 0)

typedef struct { u32 version; u64 aggregate[3], since_start[3], buckets[5]; u32 exceeded; } Sram;
EXPORT int nvmlDeviceGetSramEccErrorStatus(Device *d, Sram *out) {
    READY(d);
    if (fk_absent(d->index, "sram")) return NOT_SUPPORTED;
    if (out->version != (1u << 24 | sizeof *out)) return VERSION_MISMATCH;
    out->aggregate[0] = fk_number(d->index, "sram.u", 0);
    out->exceeded = (u32)fk_number(d->index, "sram.exceeded", 0);
    return OK;
}
typedef struct { u32 version, channel, tpc; } Repair;
EXPORT int nvmlDeviceGetRepairStatus(Device *d, Repair *out) {
    READY(d);
    if (fk_absent(d->index, "repair")) return NOT_SUPPORTED;
    if (out->version != (1u << 24 | sizeof *out)) return VERSION_MISMATCH;
    out->channel = (u32)fk_number(d->index, "repair.channel", 0);
    out->tpc = (u32)fk_number(d->index, "repair.tpc", 0);
    return OK;
}

typedef struct { u32 pid; u64 bytes; u32 gi, ci; } Process;
static int processes(int device, const char *key, u32 *room, Process *out) {
    char text[4096] = "", *rest = text, *piece;
    u32 found = 0;
    fk_find(device, key, text, sizeof text);
    Process all[128];
    while ((piece = strsep(&rest, ",")) && found < 128) {
        char *bytes = strchr(piece, ':');
        if (!*piece) continue;
        all[found++] = (Process){(u32)strtoul(piece, NULL, 10), bytes ? strtoull(bytes + 1, NULL, 10) : ~0ull, ~0u, ~0u};
    }
    u32 given = *room;
    *room = found;
    if (!found) return OK;
    if (given < found || !out) return INSUFFICIENT_SIZE;
    memcpy(out, all, found * sizeof *out);
    return OK;
}
#define PROCESSES(function, key) \
    EXPORT int function(Device *d, u32 *room, Process *out) { READY(d); return processes(d->index, key, room, out); }
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, "procs")
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, "procs")
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, "gprocs")
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, "gprocs")
PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, "mps")
PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2, "mps")

EXPORT int nvmlDeviceGetEccMode(Device *d, u32 *now, u32 *pending) {
    READY(d);
    if (fk_absent(d->index, "ecc")) return NOT_SUPPORTED;
    *now = (u32)fk_number(d->index, "ecc", 1);
    *pending = (u32)fk_number(d->index, "ecc.pending", *now);
    return OK;
}
EXPORT int nvmlDeviceGetTotalEccErrors(Device *d, u32 kind, u32 counter, u64 *out) {
    static const char *const keys[2][2] = {{"ecc.vc", "ecc.ac"}, {"ecc.vu", "ecc.au"}};
    READY(d);
    if (fk_absent(d->index, "ecc") || kind > 1 || counter > 1) return NOT_SUPPORTED;
    *out = fk_number(d->index, keys[kind][counter], 0);
    return OK;
}
EXPORT int nvmlDeviceGetRemappedRows(Device *d, u32 *corrected, u32 *uncorrected, u32 *pending, u32 *failure) {
    READY(d);
    if (fk_absent(d->index, "remap")) return NOT_SUPPORTED;
    *corrected = (u32)fk_number(d->index, "remap.c", 0);
    *uncorrected = (u32)fk_number(d->index, "remap.u", 0);
    *pending = (u32)fk_number(d->index, "remap.pending", 0);
    *failure = (u32)fk_number(d->index, "remap.failure", 0);
    return OK;
}
EXPORT int nvmlDeviceGetRetiredPages(Device *d, u32 cause, u32 *room, u64 *out) {
    READY(d);
    if (fk_absent(d->index, "retired")) return NOT_SUPPORTED;
    u32 found = (u32)fk_number(d->index, cause ? "retired.dbe" : "retired.sbe", 0), given = *room;
    *room = found;
    if (given < found || (found && !out)) return INSUFFICIENT_SIZE;
    for (u32 i = 0; i < found; i++) out[i] = 0x10000ull * (i + 1);
    return OK;
}
GET(nvmlDeviceGetRetiredPagesPendingStatus, u32, "retired.pending", 0)
GET(nvmlDeviceGetMinorNumber, u32, "minor", (u64)d->index)
GET(nvmlDeviceGetCurrentClocksEventReasons, u64, "throttle", 1)
GET(nvmlDeviceGetCurrentClocksThrottleReasons, u64, "throttle", 1)
GET(nvmlDeviceGetPowerUsage, u32, "power", 61000)
GET(nvmlDeviceGetEnforcedPowerLimit, u32, "power.limit", 400000)
GET(nvmlDeviceGetPowerManagementLimit, u32, "power.limit", 400000)
GET(nvmlDeviceGetPowerManagementDefaultLimit, u32, "power.default", 400000)
GET(nvmlDeviceGetPerformanceState, u32, "pstate", 0)
GET(nvmlDeviceGetCurrPcieLinkGeneration, u32, "pcie.gen", 4)
GET(nvmlDeviceGetMaxPcieLinkGeneration, u32, "pcie.gen.max", 4)
GET(nvmlDeviceGetCurrPcieLinkWidth, u32, "pcie.width", 16)
GET(nvmlDeviceGetMaxPcieLinkWidth, u32, "pcie.width.max", 16)
GET(nvmlDeviceGetPcieReplayCounter, u32, "pcie.replay", 0)
GET(nvmlDeviceGetComputeMode, u32, "computemode", 0)
GET(nvmlDeviceGetPersistenceMode, u32, "persistence", 1)
GET(nvmlDeviceGetVirtualizationMode, u32, "virt", 0)
GET(nvmlDeviceGetMaxMigDeviceCount, u32, "mig.max", 7)
GET(nvmlDeviceGetDisplayActive, u32, "display", 0)
GET(nvmlDeviceGetDisplayMode, u32, "display", 0)
GET(nvmlDeviceGetFanSpeed, u32, "fan", 30)
GET(nvmlDeviceGetBrand, u32, "brand", 2)
GET(nvmlDeviceGetArchitecture, u32, "architecture", 7)

EXPORT int nvmlDeviceGetTemperature(Device *d, u32 sensor, u32 *out) {
    READY(d);
    (void)sensor;
    if (fk_absent(d->index, "temp")) return NOT_SUPPORTED;
    *out = (u32)fk_number(d->index, "temp", 34);
    return OK;
}
typedef struct { u32 version, sensor; int celsius; } Temperature;
EXPORT int nvmlDeviceGetTemperatureV(Device *d, Temperature *out) {
    READY(d);
    if (fk_absent(d->index, "temp")) return NOT_SUPPORTED;
    out->celsius = (int)fk_number(d->index, "temp", 34);
    return OK;
}
EXPORT int nvmlDeviceGetTemperatureThreshold(Device *d, u32 which, u32 *out) {
    READY(d);
    if (which > 1) return NOT_SUPPORTED;
    *out = (u32)fk_number(d->index, which ? "temp.slowdown" : "temp.shutdown", which ? 89 : 92);
    return OK;
}
static const char *clock_key(u32 kind, int most) {
    if (kind == 2) return most ? "clock.mem.max" : "clock.mem";
    return most ? "clock.sm.max" : "clock.sm";
}
EXPORT int nvmlDeviceGetClockInfo(Device *d, u32 kind, u32 *out) {
    READY(d);
    *out = (u32)fk_number(d->index, clock_key(kind, 0), kind == 2 ? 1593 : 1155);
    return OK;
}
EXPORT int nvmlDeviceGetMaxClockInfo(Device *d, u32 kind, u32 *out) {
    READY(d);
    *out = (u32)fk_number(d->index, clock_key(kind, 1), kind == 2 ? 1593 : 1410);
    return OK;
}
typedef struct { u32 gpu, memory; } Utilization;
EXPORT int nvmlDeviceGetUtilizationRates(Device *d, Utilization *out) {
    READY(d);
    if (fk_absent(d->index, "util.gpu")) return NOT_SUPPORTED;
    *out = (Utilization){(u32)fk_number(d->index, "util.gpu", 0), (u32)fk_number(d->index, "util.mem", 0)};
    return OK;
}

EXPORT int nvmlDeviceGetNvLinkState(Device *d, u32 link, u32 *out) {
    char key[40];
    READY(d);
    u32 links = (u32)fk_number(d->index, "nvlinks", 12);
    if (!links) return NOT_SUPPORTED;
    if (link >= links) return INVALID_ARGUMENT;
    snprintf(key, sizeof key, "nvlink%u", link);
    *out = (u32)fk_number(d->index, key, 1);
    return OK;
}
EXPORT int nvmlDeviceGetNvLinkErrorCounter(Device *d, u32 link, u32 counter, u64 *out) {
    char key[40];
    READY(d);
    if (link >= (u32)fk_number(d->index, "nvlinks", 12)) return INVALID_ARGUMENT;
    snprintf(key, sizeof key, "nvlink%u.err%u", link, counter);
    if (fk_absent(d->index, key)) return NOT_SUPPORTED;
    *out = fk_number(d->index, key, 0);
    return OK;
}

typedef struct { u32 version; unsigned char cluster[16]; int status; u32 clique, state, health; unsigned char summary; } Fabric;
EXPORT int nvmlDeviceGetGpuFabricInfoV(Device *d, Fabric *out) {
    READY(d);
    if (fk_absent(d->index, "fabric.state")) return NOT_SUPPORTED;
    if ((out->version >> 24) < 2 || (out->version >> 24) > 3) return VERSION_MISMATCH;
    out->state = (u32)fk_number(d->index, "fabric.state", 0);
    out->status = (int)fk_number(d->index, "fabric.status", 0);
    out->health = (u32)fk_number(d->index, "fabric.health", 0);
    if ((out->version >> 24) == 3) out->summary = (unsigned char)fk_number(d->index, "fabric.summary", 0);
    return OK;
}

typedef struct { unsigned char cluster[16]; int status; u32 clique, state; } OldFabric;
EXPORT int nvmlDeviceGetGpuFabricInfo(Device *d, OldFabric *out) {
    READY(d);
    if (fk_absent(d->index, "fabric.state")) return NOT_SUPPORTED;
    out->state = (u32)fk_number(d->index, "fabric.state", 0);
    out->status = (int)fk_number(d->index, "fabric.status", 0);
    return OK;
}

EXPORT int nvmlDeviceGetMigMode(Device *d, u32 *now, u32 *pending) {
    READY(d);
    if (fk_absent(d->index, "mig")) return NOT_SUPPORTED;
    *now = (u32)fk_number(d->index, "mig", 0);
    *pending = (u32)fk_number(d->index, "mig.pending", *now);
    return OK;
}
EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(Device *d, u32 index, Device **out) {
    READY(d);
    if (index >= (u32)fk_number(d->index, "mig.devices", 0) || index >= 8) return NOT_FOUND;
    *out = &slices[d->index * 8 + (int)index];
    return OK;
}
EXPORT int nvmlDeviceGetGpuInstanceId(Device *d, u32 *out) { READY(d); *out = (u32)d->mig; return OK; }
EXPORT int nvmlDeviceGetComputeInstanceId(Device *d, u32 *out) { READY(d); *out = 0; return OK; }

EXPORT int nvmlDeviceGetP2PStatus(Device *a, Device *b, u32 capability, u32 *out) {
    READY(a);
    (void)b, (void)capability;
    *out = (u32)fk_number(a->index, "p2p", 0);
    return OK;
}
EXPORT int nvmlDeviceGetTopologyCommonAncestor(Device *a, Device *b, u32 *out) {
    READY(a);
    (void)b;
    *out = (u32)fk_number(a->index, "topo", 30);
    return OK;
}

typedef struct { u32 field, scope; long long when, latency; u32 type; int code; union { u32 number; u64 large; } value; } Field;
EXPORT int nvmlDeviceGetFieldValues(Device *d, int fields, Field *values) {
    READY(d);
    for (int i = 0; i < fields; i++) {
        char key[40], text[40];
        snprintf(key, sizeof key, "field%u", values[i].field);
        int given = fk_find(d->index, key, text, sizeof text) && strcmp(text, "na");
        values[i].type = 1;
        values[i].value.large = given ? strtoull(text, NULL, 0) : 0;
        values[i].code = given ? OK : NOT_SUPPORTED;
    }
    return OK;
}

typedef struct { Device *device; u64 type, data; u32 gi, ci; } Event;
EXPORT int nvmlEventSetCreate(void **set) { GUARD(-1); *set = &devices; return OK; }
EXPORT int nvmlEventSetFree(void *set) { GUARD(-1); (void)set; return OK; }
EXPORT int nvmlDeviceRegisterEvents(Device *d, u64 types, void *set) { READY(d); (void)types, (void)set; return OK; }
EXPORT int nvmlDeviceGetSupportedEventTypes(Device *d, u64 *out) { READY(d); *out = 8; return OK; }
EXPORT int nvmlEventSetWait_v2(void *set, Event *out, u32 milliseconds) {
    GUARD(-1);
    (void)set, (void)milliseconds;
    u64 xid = fk_number(-1, "xid", 0);
    if (!xid) return TIMEOUT;
    *out = (Event){&devices[fk_number(-1, "xid.gpu", 0) % MAXIMUM], 8, xid, ~0u, ~0u};
    return OK;
}

/* The private tables that nvidia-smi asks for: a table of functions that all say "not supported"; slot 0 is its size. */
static int not_supported(void) { return NOT_SUPPORTED; }
EXPORT int nvmlInternalGetExportTable(const void **table, const void *id) {
    static void *slots[256];
    GUARD(-1);
    (void)id;
    slots[0] = (void *)sizeof slots;
    for (size_t i = 1; i < sizeof slots / sizeof *slots; i++) slots[i] = (void *)(size_t)&not_supported;
    *table = slots;
    return OK;
}
