/* Who reaches whom, as one table: every row is tried with real connections and with datagrams that are answered, over
 * both families, all at once, and what must not pass is told from what must by a row of its own. docs/network.md says
 * the same in words. */
#include "base/cleanup.h"
#include "tests/netns/support_matrix.h"

/* Published: 8080 on any address and 8081 on loopback for a, 8082 on the wire's address for d, 8083 where nobody
 * listens; 8084 and 8085 as shared ports. */
static const struct row rows[] = {
	{"the host reaches its instances", HOST, SERVER, 80, REACHES, A, GATEWAY},
	{"also on a network without egress", HOST, SERVER, 80, REACHES, C, GATEWAY},
	{"what is not published is not there for others", OUTSIDE, SERVER, 80, SILENT, A, NONE},
	{"nor with egress off", OUTSIDE, SERVER, 80, SILENT, D, NONE},

	{"an isolated network's instances are alone", A, SERVER, 80, SILENT, B, NONE},
	{"both ways", B, SERVER, 80, SILENT, A, NONE},
	{"itself it sees", A, SERVER, 80, REACHES, A, CLIENT},
	{"an open network's instances see one another", C, SERVER, 80, REACHES, D, CLIENT},
	{"both ways", D, SERVER, 80, REACHES, C, CLIENT},
	{"networks are apart", A, SERVER, 80, SILENT, C, NONE},
	{"both ways", C, SERVER, 80, SILENT, A, NONE},
	{"an allowed network comes in", E, SERVER, 80, REACHES, C, CLIENT},
	{"which is no permission for the other way", C, SERVER, 80, SILENT, E, NONE},
	{"nor for a third", E, SERVER, 80, SILENT, A, NONE},
	{"an address that nobody has is answered at once", A, NOBODY, 80, UNREACHABLE, HOST, NONE},
	{"also for the host", HOST, NOBODY, 80, UNREACHABLE, HOST, NONE},

	{"egress leaves with the host's address", A, SERVER, 80, REACHES, OUTSIDE, WAN},
	{"from every network that has it", E, SERVER, 80, REACHES, OUTSIDE, WAN},
	{"and from no other", C, SERVER, 80, SILENT, OUTSIDE, NONE},
	{"over every wire", A, SERVER, 80, REACHES, DMZ, DMZ_WIRE},
	{"the cloud's metadata service is the host's", HOST, METADATA, 80, REACHES, OUTSIDE, HOSTS},
	{"and no instance's", A, METADATA, 80, SILENT, OUTSIDE, NONE},
	{"but of a network that names it", E, METADATA, 80, REACHES, OUTSIDE, WAN},
	{"the host is no router because of us", OUTSIDE, SERVER, 80, SILENT, DMZ, NONE},
	{"in no direction", DMZ, SERVER, 80, SILENT, OUTSIDE, NONE},

	{"a service of the host's is there for others", OUTSIDE, WAN, 3306, REACHES, HOST, CLIENT},
	{"not for instances", A, WAN, 3306, SILENT, HOST, NONE},
	{"by no address", A, GATEWAY, 3306, SILENT, HOST, NONE},
	{"of no wire", B, DMZ_WIRE, 3306, SILENT, HOST, NONE},
	{"nor without egress", C, WAN, 3306, SILENT, HOST, NONE},
	{"one that its network names", E, WAN, 3306, REACHES, HOST, CLIENT},
	{"by every address", E, GATEWAY, 3306, REACHES, HOST, CLIENT},
	{"of every wire", E, DMZ_WIRE, 3306, REACHES, HOST, CLIENT},
	{"and no other", E, WAN, 3307, SILENT, HOST, NONE},

	{"published on any address: from outside, seen as it is", OUTSIDE, WAN, 8080, REACHES, A, CLIENT},
	{"over every wire", DMZ, DMZ_WIRE, 8080, REACHES, A, CLIENT},
	{"from the host by its own address", HOST, WAN, 8080, REACHES, A, HOSTS},
	{"from the host by loopback", HOST, LOOPBACK, 8080, REACHES, A, GATEWAY},
	{"from a neighbour on an isolated network", B, WAN, 8080, REACHES, A, CLIENT},
	{"from the instance itself", A, WAN, 8080, REACHES, A, GATEWAY},
	{"from another network", C, WAN, 8080, REACHES, A, CLIENT},
	{"published on loopback: from the host", HOST, LOOPBACK, 8081, REACHES, A, GATEWAY},
	{"not by its address", HOST, WAN, 8081, REFUSED, A, NONE},
	{"not from outside", OUTSIDE, WAN, 8081, REFUSED, A, NONE},
	{"not from instances", B, WAN, 8081, SILENT, A, NONE},
	{"published on one address: from outside", OUTSIDE, WAN, 8082, REACHES, D, CLIENT},
	{"from the host by it", HOST, WAN, 8082, REACHES, D, HOSTS},
	{"by no other", HOST, LOOPBACK, 8082, REFUSED, D, NONE},
	{"from outside by no other", DMZ, DMZ_WIRE, 8082, REFUSED, D, NONE},
	{"to itself without egress too", D, WAN, 8082, REACHES, D, GATEWAY},
	{"where nobody listens the instance refuses", OUTSIDE, WAN, 8083, REFUSED, A, NONE},
	{"shared in turn: from outside, seen as it is", OUTSIDE, WAN, 8084, REACHES, A, CLIENT},
	{"from the host", HOST, WAN, 8084, REACHES, A, HOSTS},
	{"from a neighbour", B, WAN, 8084, REACHES, A, CLIENT},
	{"from the one that serves", A, WAN, 8084, REACHES, A, GATEWAY},
	{"shared by client: from outside, seen as it is", DMZ, DMZ_WIRE, 8085, REACHES, D, CLIENT},
	{"from another network", E, WAN, 8085, REACHES, D, CLIENT},
	{"from the one that serves", D, WAN, 8085, REACHES, D, GATEWAY},
};

/* Loopback only where the kernel can. */
static const struct published published[] = {
	{A, {"0.0.0.0:8080:80", "[::]:8080:80"}, ""},
	{A, {"127.0.0.1:8081:80", NULL}, ""},
	{D, {WAN_HOST ":8082:80", "[" WAN6_HOST "]:8082:80"}, ""},
	{A, {"0.0.0.0:8083:81", "[::]:8083:81"}, ""},
	{A, {"0.0.0.0:8084:80", "[::]:8084:80"}, "+balanced"},
	{D, {"0.0.0.0:8085:80", "[::]:8085:80"}, "+sticky"},
};

TEST(matrix, everybody_reaches_whom_the_table_says_and_nobody_else)
{
	NEEDS_ROOT();
	struct scene scene;
	size_t count, wrong;

	scene_open(&scene, published, ARRAY_SIZE(published));
	wrong = scene_try(&scene, rows, ARRAY_SIZE(rows), &count);
	scene_close(&scene);
	cr_assert(wrong == 0, "%zu of %zu", wrong, count);
}
