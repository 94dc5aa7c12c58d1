/* The kernel's table of sockets. */
#include "fleet/network/listening.h"

#include <arpa/inet.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "tests/test.h"

TEST(listening, finds_listeners_and_nothing_else)
{
	static const char table[] =
		"   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0\n"
		"   1: 0100007F:1F90 0100007F:0051 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0\n"
		"   2: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:0 0\n"
		"   3: cut";

	cr_assert(listening_is_in(table, 80) && listening_is_in(table, 8081));
	cr_assert(!listening_is_in(table, 8080), "a connection");
	cr_assert(!listening_is_in(table, 81), "a port of the other side");
	cr_assert(!listening_is_in("", 80) && !listening_is_in("\n", 80) && !listening_is_in("0: 1:0050", 80));
}

TEST(listening, waits_for_shared_tcp_ports_alone_and_no_longer_than_it_may)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct port port = {.target = 1, .balance = PORT_ALONE};
	auto_fd pidfd = pidfd_open(getpid(), 0), listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(address);
	int64_t before = clock_ms();

	listening_await(getpid(), pidfd, &port, 1, 60000);
	port.balance = PORT_BALANCED;
	port.protocol = PORT_UDP;
	listening_await(getpid(), pidfd, &port, 1, 60000);
	port.protocol = PORT_TCP;
	cr_assert(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0);
	cr_assert(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
	port.target = ntohs(address.sin_port);
	listening_await(getpid(), pidfd, &port, 1, 60000);
	cr_assert(clock_ms() - before < 30000, "waited for what need not be waited for");
	fd_drop(&listener);
	before = clock_ms();
	listening_await(getpid(), pidfd, &port, 1, 60);
	cr_assert(clock_ms() - before >= 60, "did not wait");
}
