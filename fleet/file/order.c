/* Depth first through the dependencies; a node met again while it is still open closes a circle. */
#include "fleet/file/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

enum visit { VISIT_NEW, VISIT_OPEN, VISIT_DONE };

static int compare_nodes(const void *a, const void *b)
{
	return strcmp(((const struct order_node *)a)->name, ((const struct order_node *)b)->name);
}

static struct order_node *node_find(const struct order *order, const char *name)
{
	const struct order_node key = {.name = name};

	return bsearch(&key, order->nodes, order->count, sizeof(key), compare_nodes);
}

/* The way from the node that is open already down to itself. Follows the one open dependency of each. */
static int fail_circle(const struct order *order, const struct order_node *start, struct error *err)
{
	AUTO(text_drop) struct text way = {0};
	const struct order_node *at = start;

	do {
		const struct order_node *next = NULL;

		text_appendf(&way, "%s -> ", at->name);
		for (size_t i = 0; !next && i < at->spec->depends_on.count; i++) {
			const struct order_node *on = node_find(order, at->spec->depends_on.items[i].name);

			if (on && on->visit == VISIT_OPEN)
				next = on;
		}
		at = next;
	} while (at && at != start);
	return fail(
		err, ERROR_USAGE, "instances depend on each other in a circle: %s%s", text_string(&way), start->name);
}

static int node_visit(
	const struct order *order, struct order_node *node, const struct instance_spec **culprit, struct error *err)
{
	if (node->visit == VISIT_DONE)
		return 0;
	if (node->visit == VISIT_OPEN) {
		if (culprit)
			*culprit = node->spec;
		return fail_circle(order, node, err);
	}
	node->visit = VISIT_OPEN;
	for (size_t i = 0; i < node->spec->depends_on.count; i++) {
		struct order_node *on = node_find(order, node->spec->depends_on.items[i].name);

		if (!on)
			continue;
		if (node_visit(order, on, culprit, err) < 0)
			return -1;
		if (on->level >= node->level)
			node->level = on->level + 1;
	}
	node->visit = VISIT_DONE;
	return 0;
}

int order_make(struct arena *arena, const struct instance_spec *const *specs, size_t count, struct order *out,
	const struct instance_spec **culprit, struct error *err)
{
	size_t kept = 0;

	*out = (struct order){.nodes = arena_new_array(arena, count, struct order_node)};
	for (size_t i = 0; i < count; i++)
		out->nodes[i] = (struct order_node){.name = specs[i]->base_name, .spec = specs[i]};
	qsort(out->nodes, count, sizeof(*out->nodes), compare_nodes);
	for (size_t i = 0; i < count; i++)
		if (!kept || strcmp(out->nodes[kept - 1].name, out->nodes[i].name))
			out->nodes[kept++] = out->nodes[i];
	out->count = kept;
	for (size_t i = 0; i < out->count; i++)
		if (node_visit(out, &out->nodes[i], culprit, err) < 0)
			return -1;
	return 0;
}

size_t order_level(const struct order *order, const struct instance_spec *spec)
{
	const struct order_node *node = node_find(order, spec->base_name);

	return node ? node->level : 0;
}
