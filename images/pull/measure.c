/* A sink that keeps nothing but length and digest. */
#include "images/pull/measure.h"

#include "images/pull/tar_write.h"

int measure_begin(struct measure *measure, struct error *err)
{
	measure->sink.write = measure_write;
	measure->size = 0;
	return digest_begin(&measure->digest, err);
}

int measure_write(struct sink *sink, const void *bytes, size_t length, struct error *err)
{
	struct measure *to = (struct measure *)sink;

	(void)err;
	digest_add(&to->digest, bytes, length);
	to->size += length;
	return 0;
}

void measure_end(struct measure *measure, char digest[REFERENCE_DIGEST_SIZE])
{
	digest_end(&measure->digest, digest);
	digest_drop(&measure->digest);
}

int layer_measure(int directory, const char *const *left_out, struct measured *out, struct error *err)
{
	struct measure measure;
	struct tar_write how = {.sink = &measure.sink, .layer = true, .left_out = left_out};
	int result;

	if (measure_begin(&measure, err) < 0)
		return -1;
	result = tar_write_tree(&how, &directory, 1, err);
	measure_end(&measure, out->digest);
	out->size = measure.size;
	return result;
}
