/* Did you mean …: the fewest edits (insert, delete, replace, swap neighbours) between two words.
 *
 * Words are short: what is longer than WORD_MAX is nobody's typing error and gets no guess. */
#include "base/suggest.h"

#include <string.h>

#define WORD_MAX 64

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment, three rows of the table at a time. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	for (size_t j = 0; j <= b_length; j++)
		above[j] = before[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] = smaller(above[j], row[j - 1]) + 1;
			row[j] = smaller(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[b_length];
}

/* The length of what word and all candidates begin with, up to a '_'. Nobody's typing was in doubt there: with it
 * RLIMIT_ZZ would be near to RLIMIT_AS. */
static size_t stem_length(const char *word, const char *(*next)(const void *context, size_t i), const void *context)
{
	size_t length = strlen(word);
	const char *candidate;

	for (size_t i = 0; (candidate = next(context, i)); i++) {
		size_t same = 0;

		while (same < length && word[same] == candidate[same])
			same++;
		length = same;
	}
	while (length && word[length - 1] != '_')
		length--;
	return length;
}

const char *suggest(const char *word, const char *(*next)(const void *context, size_t i), const void *context)
{
	size_t stem = stem_length(word, next, context), length, best_distance = WORD_MAX;
	const char *best = NULL, *candidate;

	word += stem;
	length = strlen(word);
	if (length > WORD_MAX)
		return NULL;
	for (size_t i = 0; (candidate = next(context, i)); i++) {
		size_t candidate_length = strlen(candidate + stem), edits, longer;

		if (candidate_length > WORD_MAX)
			continue;
		edits = distance(word, length, candidate + stem, candidate_length);
		longer = length > candidate_length ? length : candidate_length;
		if (edits * 3 > longer && !(edits == 1 && longer == 2))
			continue;
		if (edits < best_distance) {
			best_distance = edits;
			best = candidate;
		}
	}
	return best;
}

static const char *next_in_array(const void *context, size_t i)
{
	return ((const char *const *)context)[i];
}

const char *suggest_from(const char *word, const char *const *candidates)
{
	return suggest(word, next_in_array, candidates);
}
