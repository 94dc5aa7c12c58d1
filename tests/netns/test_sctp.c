/* Ports of SCTP with real associations. The kernel's module comes with the test machine; elsewhere it is the
 * administrator's to load. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/netns/support_scene.h"

#define ANSWER_S 20

/* One that gives up after a while: a port that is lost is silent, and an association is retried for minutes. */
static int sctp_in(struct world *world, int netns, int family)
{
	const struct timeval wait = {.tv_sec = ANSWER_S};

	netns_enter(netns);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP);
	netns_enter(world->host);
	cr_assert(fd >= 0, "socket of SCTP: %s", strerror(errno));
	cr_assert(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0);
	cr_assert(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) == 0);
	return fd;
}

union where {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static union where where_of(int family, const char *address, uint16_t port)
{
	union where where = {0};

	where.any.sa_family = (sa_family_t)family;
	if (family == AF_INET6)
		where.v6.sin6_port = htons(port);
	else
		where.v4.sin_port = htons(port);
	cr_assert(inet_pton(family, address,
			  family == AF_INET6 ? (void *)&where.v6.sin6_addr : (void *)&where.v4.sin_addr) == 1);
	return where;
}

static socklen_t length_of(int family)
{
	return family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

static int sctp_listen(struct world *world, int netns, int family, uint16_t port)
{
	const union where at = where_of(family, family == AF_INET6 ? "::" : "0.0.0.0", port);
	int fd = sctp_in(world, netns, family);

	cr_assert(bind(fd, &at.any, length_of(family)) == 0 && listen(fd, 4) == 0, "%s", strerror(errno));
	return fd;
}

static int publish(struct lone *scene, const char *text, struct error *err)
{
	struct port port = port_of(text);

	return ports_publish(scene->world.session, &scene->guest.endpoint, &port, 1, err);
}

/* From outside, both ways, and the server sees who it is. */
static void expect_talk(struct lone *scene, int family, const char *host, const char *outside, int server)
{
	const union where to = where_of(family, host, 8080), client_address = where_of(family, outside, 0);
	auto_fd client = sctp_in(&scene->world, scene->world.outside, family);
	union where from = {0};
	socklen_t length = sizeof(from);
	char answer[8] = "";

	cr_assert(connect(client, &to.any, length_of(family)) == 0, "%s: %s", host, strerror(errno));
	auto_fd served = accept4(server, &from.any, &length, SOCK_CLOEXEC);
	cr_assert(served >= 0, "%s", strerror(errno));
	if (family == AF_INET6)
		cr_assert(IN6_ARE_ADDR_EQUAL(&from.v6.sin6_addr, &client_address.v6.sin6_addr));
	else
		cr_assert(from.v4.sin_addr.s_addr == client_address.v4.sin_addr.s_addr);
	cr_assert(send(client, "ping", 4, MSG_NOSIGNAL) == 4);
	cr_assert(recv(served, answer, sizeof(answer), 0) == 4 && memcmp(answer, "ping", 4) == 0);
	cr_assert(send(served, "answer", 6, MSG_NOSIGNAL) == 6);
	cr_assert(recv(client, answer, sizeof(answer), 0) == 6 && memcmp(answer, "answer", 6) == 0);
}

#define NEEDS_SCTP()                                                                                                   \
	NEEDS_ROOT();                                                                                                  \
	SKIP_UNLESS(access("/proc/net/sctp", F_OK) == 0, "needs SCTP (modprobe sctp)")

TEST(sctp, ports_are_published_over_both_families)
{
	NEEDS_SCTP();
	struct lone scene;
	struct error err;
	lone_open_with_outside(&scene);
	auto_fd server = sctp_listen(&scene.world, scene.guest.netns, AF_INET, 80);

	ASSERT_OK(publish(&scene, "0.0.0.0:8080:80/sctp", &err));
	expect_talk(&scene, AF_INET, WAN_HOST, WAN_OUTSIDE, server);
	if (!IN6_IS_ADDR_UNSPECIFIED(&scene.guest.endpoint.address6)) {
		auto_fd server6 = sctp_listen(&scene.world, scene.guest.netns, AF_INET6, 81);

		ASSERT_OK(publish(&scene, "[::]:8080:81/sctp", &err));
		expect_talk(&scene, AF_INET6, WAN6_HOST, WAN6_OUTSIDE, server6);
	}
	lone_close(&scene);
}

TEST(sctp, a_port_that_a_process_of_the_host_has_is_refused)
{
	NEEDS_SCTP();
	struct lone scene;
	struct error err;
	lone_open_with_outside(&scene);
	auto_fd taken = sctp_listen(&scene.world, scene.world.host, AF_INET, 8081);

	ASSERT_FAILS(publish(&scene, "0.0.0.0:8081:80/sctp", &err), ERROR_BUSY,
		"port 0.0.0.0:8081/sctp is taken by a process of this host");
	lone_close(&scene);
}

/* What comes after it was taken back does not arrive, though an association was there before. */
TEST(sctp, a_port_taken_back_leads_nowhere)
{
	NEEDS_SCTP();
	struct lone scene;
	struct port port = port_of("0.0.0.0:8080:80/sctp");
	struct error err;
	lone_open_with_outside(&scene);
	auto_fd server = sctp_listen(&scene.world, scene.guest.netns, AF_INET, 80);

	ASSERT_OK(publish(&scene, "0.0.0.0:8080:80/sctp", &err));
	expect_talk(&scene, AF_INET, WAN_HOST, WAN_OUTSIDE, server);
	ASSERT_OK(ports_unpublish(scene.world.session, &scene.guest.endpoint, &port, 1, &err));
	auto_fd late = sctp_in(&scene.world, scene.world.outside, AF_INET);
	const union where to = where_of(AF_INET, WAN_HOST, 8080);

	/* The host itself answers that nobody listens. */
	cr_assert(connect(late, &to.any, length_of(AF_INET)) < 0 && errno == ECONNREFUSED, "%s", strerror(errno));
	lone_close(&scene);
}
