/* `linux.resources.blockIO` → weights and rates. */
#include "base/cleanup.h"
#include "runtime/oci/oci_resources.h"

#define BLOCK_WEIGHT_MIN 10
#define BLOCK_WEIGHT_MAX 1000

struct oci_throttle {
	uint32_t major, minor;
	uint64_t rate;
};
struct oci_device_weight {
	uint32_t major, minor;
	struct optional weight;
	char refused;
};
struct oci_block {
	struct optional weight;
	LIST_OF(struct oci_device_weight) weights;
	LIST_OF(struct oci_throttle) rbps, wbps, riops, wiops;
	char refused;
};

static const struct field throttle_fields[] = {
	INTEGER("major", struct oci_throttle, major, 0, DEVICE_MAJOR_MAX, REQUIRED),
	INTEGER("minor", struct oci_throttle, minor, 0, DEVICE_MINOR_MAX, REQUIRED),
	UINT64("rate", struct oci_throttle, rate, REQUIRED),
	END_OF_FIELDS,
};
static const struct field weight_fields[] = {
	INTEGER("major", struct oci_device_weight, major, 0, DEVICE_MAJOR_MAX, REQUIRED),
	INTEGER("minor", struct oci_device_weight, minor, 0, DEVICE_MINOR_MAX, REQUIRED),
	OPTIONAL("weight", struct oci_device_weight, weight, 0, BLOCK_WEIGHT_MAX, 0),
	CUSTOM("leafWeight", struct oci_device_weight, refused, oci_decode_refused, 0),
	END_OF_FIELDS,
};
const struct field oci_block_fields[] = {
	OPTIONAL("weight", struct oci_block, weight, 0, BLOCK_WEIGHT_MAX, 0),
	CUSTOM("leafWeight", struct oci_block, refused, oci_decode_refused, 0),
	LIST("weightDevice", struct oci_block, weights, weight_fields, 0),
	LIST("throttleReadBpsDevice", struct oci_block, rbps, throttle_fields, 0),
	LIST("throttleWriteBpsDevice", struct oci_block, wbps, throttle_fields, 0),
	LIST("throttleReadIOPSDevice", struct oci_block, riops, throttle_fields, 0),
	LIST("throttleWriteIOPSDevice", struct oci_block, wiops, throttle_fields, 0),
	END_OF_FIELDS,
};

static struct cgroup_io_max *io_max_for(struct cgroup_limits *limits, const struct oci_throttle *device)
{
	struct cgroup_io_max *row;

	for (size_t i = 0; i < limits->io_max.count; i++) {
		row = &limits->io_max.items[i];
		if (row->major == device->major && row->minor == device->minor)
			return row;
	}
	row = &limits->io_max.items[limits->io_max.count++];
	*row = (struct cgroup_io_max){.major = device->major, .minor = device->minor};
	return row;
}

static void throttles_convert(
	const struct oci_throttle *items, size_t count, size_t offset, struct cgroup_limits *limits)
{
	for (size_t i = 0; i < count; i++) {
		char *row = (char *)io_max_for(limits, &items[i]);
		int64_t rate = items[i].rate > INT64_MAX ? INT64_MAX : (int64_t)items[i].rate;

		*(struct optional *)(row + offset) = (struct optional){true, rate};
	}
}

static int weight_check(int64_t weight, struct error *err)
{
	if (weight >= BLOCK_WEIGHT_MIN && weight <= BLOCK_WEIGHT_MAX)
		return 0;
	return fail(err, ERROR_USAGE, "weight %lld: must be between %d and %d", (long long)weight, BLOCK_WEIGHT_MIN,
		BLOCK_WEIGHT_MAX);
}

int oci_block_weight_convert(int64_t weight, struct cgroup_limits *limits, struct error *err)
{
	limits->block_weight = (struct optional){true, weight};
	return weight_check(weight, err);
}

static int device_weights_convert(
	struct arena *arena, const struct oci_block *from, struct cgroup_limits *limits, struct error *err)
{
	limits->device_weights.items = arena_new_array(arena, from->weights.count, struct cgroup_io_device_weight);
	for (size_t i = 0; i < from->weights.count; i++) {
		const struct oci_device_weight *device = &from->weights.items[i];

		if (!is_given(&device->weight))
			continue;
		if (weight_check(device->weight.value, err) < 0)
			return blame(err, "weightDevice[%zu]", i);
		limits->device_weights.items[limits->device_weights.count++] =
			(struct cgroup_io_device_weight){device->major, device->minor, device->weight.value};
	}
	return 0;
}

int oci_decode_block(const struct decoder *decoder, const struct json *node, void *member, struct error *err)
{
	struct oci_resources *resources = member;
	struct cgroup_limits *limits = resources->limits;
	struct oci_block from = {0};

	if (decode_object(decoder, node, oci_block_fields, &from, err) < 0)
		return -1;
	if (is_given(&from.weight) && oci_block_weight_convert(from.weight.value, limits, err) < 0)
		return decode_blame(decoder, node, err);
	if (device_weights_convert(decoder->arena, &from, limits, err) < 0)
		return decode_blame(decoder, node, err);
	limits->io_max.items = arena_new_array(decoder->arena,
		from.rbps.count + from.wbps.count + from.riops.count + from.wiops.count, struct cgroup_io_max);
	throttles_convert(from.rbps.items, from.rbps.count, offsetof(struct cgroup_io_max, rbps), limits);
	throttles_convert(from.wbps.items, from.wbps.count, offsetof(struct cgroup_io_max, wbps), limits);
	throttles_convert(from.riops.items, from.riops.count, offsetof(struct cgroup_io_max, riops), limits);
	throttles_convert(from.wiops.items, from.wiops.count, offsetof(struct cgroup_io_max, wiops), limits);
	return 0;
}
