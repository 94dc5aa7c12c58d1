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

static socklen_t where_of(union socket_address *out, const char *address, uint16_t port)
{
	struct ip_address parsed;
	struct error err;

	ASSERT_OK(ip_parse(address, &parsed, &err));
	return socket_address(out, &parsed, port);
}

static int sctp_listen(struct world *world, int netns, const struct family *family, uint16_t port)
{
	union socket_address at;
	socklen_t length = where_of(&at, family->any, port);
	int fd = sctp_in(world, netns, family->number);

	cr_assert(bind(fd, &at.any, length) == 0 && listen(fd, 4) == 0, "%s", strerror(errno));
	return fd;
}

static struct port on_any(const struct family *family, const char *text)
{
	auto_free char *whole = text_format("%s:%s", family->anywhere, text);

	return port_of(whole);
}

static int connect_from_outside(struct lone *scene, const struct family *family)
{
	union socket_address to;
	socklen_t length = where_of(&to, family->host, 8080);
	int fd = sctp_in(&scene->world, scene->world.outside, family->number);

	if (connect(fd, &to.any, length) < 0) {
		fd_drop(&fd);
		return -1;
	}
	return fd;
}

/* From outside, both ways, and the server sees who it is. */
static void expect_talk(struct lone *scene, const struct family *family, int server)
{
	auto_fd client = connect_from_outside(scene, family);
	union socket_address from = {0}, outside;
	socklen_t length = sizeof(from);
	char answer[8] = "";

	cr_assert(client >= 0, "%s: %s", family->host, strerror(errno));
	auto_fd served = accept4(server, &from.any, &length, SOCK_CLOEXEC);
	cr_assert(served >= 0, "%s", strerror(errno));
	where_of(&outside, family->outside, 0);
	if (family->number == AF_INET6)
		cr_assert(IN6_ARE_ADDR_EQUAL(&from.v6.sin6_addr, &outside.v6.sin6_addr));
	else
		cr_assert(from.v4.sin_addr.s_addr == outside.v4.sin_addr.s_addr);
	cr_assert(send(client, "ping", 4, MSG_NOSIGNAL) == 4);
	cr_assert(recv(served, answer, sizeof(answer), 0) == 4 && memcmp(answer, "ping", 4) == 0);
	cr_assert(send(served, "answer", 6, MSG_NOSIGNAL) == 6);
	cr_assert(recv(client, answer, sizeof(answer), 0) == 6 && memcmp(answer, "answer", 6) == 0);
}

#define NEEDS_SCTP() SKIP_UNLESS(access("/proc/net/sctp", F_OK) == 0, "needs SCTP (modprobe sctp)")

FAMILY_TEST(sctp, a_port_is_published)
{
	NEEDS_SCTP();
	struct lone scene;
	struct error err;
	lone_open_with_outside(&scene);
	struct port port = on_any(family, "8080:80/sctp");
	auto_fd server = sctp_listen(&scene.world, scene.guest.netns, family, 80);

	ASSERT_OK(ports_publish(scene.world.session, &scene.guest.endpoint, &port, 1, &err));
	expect_talk(&scene, family, server);
	lone_close(&scene);
}

FAMILY_TEST(sctp, a_port_that_a_process_of_the_host_has_is_refused)
{
	NEEDS_SCTP();
	struct lone scene;
	struct error err;
	lone_open_with_outside(&scene);
	struct port port = on_any(family, "8081:80/sctp");
	auto_fd taken = sctp_listen(&scene.world, scene.world.host, family, 8081);
	auto_free char *says = text_format("port %s:8081/sctp is taken by a process of this host", family->anywhere);

	ASSERT_FAILS(ports_publish(scene.world.session, &scene.guest.endpoint, &port, 1, &err), ERROR_BUSY, says);
	lone_close(&scene);
}

/* What comes after it was taken back does not arrive, though an association was there before. */
FAMILY_TEST(sctp, a_port_taken_back_leads_nowhere)
{
	NEEDS_SCTP();
	struct lone scene;
	struct error err;
	lone_open_with_outside(&scene);
	struct port port = on_any(family, "8080:80/sctp");
	auto_fd server = sctp_listen(&scene.world, scene.guest.netns, family, 80);

	ASSERT_OK(ports_publish(scene.world.session, &scene.guest.endpoint, &port, 1, &err));
	expect_talk(&scene, family, server);
	ASSERT_OK(ports_unpublish(scene.world.session, &scene.guest.endpoint, &port, 1, &err));
	/* The host itself answers that nobody listens. */
	cr_assert(connect_from_outside(&scene, family) < 0 && errno == ECONNREFUSED, "%s", strerror(errno));
	lone_close(&scene);
}
