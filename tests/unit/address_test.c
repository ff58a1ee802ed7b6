// SPDX-License-Identifier: BSD-2-Clause
/* Addresses of both families as text, in messages and on sockets; and what --interface may say. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "dsmcore/launch/address.h"

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static struct address parsed(const char *text)
{
	struct address a;

	if (!address__parse(text, &a))
		fail_msg("'%s' is no address", text);
	return a;
}

/* As messages have it; what the parser makes of that is the same again. */
static void texts(void **state)
{
	static const struct {
		const char *in, *out, *with_port;
	} cases[] = {
		{"10.1.0.5", "10.1.0.5", "10.1.0.5:99"},
		{"fd00::5", "fd00::5", "[fd00::5]:99"},
		{"[fd00::5]", "fd00::5", "[fd00::5]:99"},
		{"FD00:0:0:0:0:0:0:5", "fd00::5", "[fd00::5]:99"},
		{"::1", "::1", "[::1]:99"},
		{"::", "::", "[::]:99"},
		{"::ffff:10.1.0.5", "10.1.0.5", "10.1.0.5:99"}, /* the same machine, so the same address */
		{"fe80::1%lo", "fe80::1%lo", "[fe80::1%lo]:99"},
		{"[fe80::1%1]", "fe80::1%lo", "[fe80::1%lo]:99"},
		{"fe80::1%99999", "fe80::1%99999", "[fe80::1%99999]:99"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:99"},
	};
	char text[ADDRESS_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address a = parsed(cases[i].in), again;

		assert_string_equal(address__text(&a, text), cases[i].out);
		again = parsed(text);
		assert_memory_equal(&a, &again, sizeof(a));
		a.port = 99;
		assert_string_equal(address__text(&a, text), cases[i].with_port);
	}
}

static void no_texts(void **state)
{
	static const char *const bad[] = {
		"",
		"10.1.0",
		"10.1.0.256",
		"10.1.0.5:99",
		"10.1.0.5%lo",
		"[10.1.0.5]",
		"[fd00::5",
		"fd00::5]",
		"[fd00::5]:99",
		"fd00:::5",
		"fd00::5%lo",
		"fe80::1%",
		"fe80::1%-1",
		"fe80::1%0",
		"fe80::1%+1",
		"fe80::1%none",
		"fe80::1%1x",
		"1:2:3:4:5:6",
		"[]",
		"[::1",
		"alpha",
		"10.1.0.5 ",
		" ::1",
		"::1/64",
		"fe80::1%4294967296",
		"::ffff:1.2.3.4%lo",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
	};
	struct address a;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (address__parse(bad[i], &a))
			fail_msg("'%s' is taken for an address", bad[i]);
}

static void kinds(void **state)
{
	static const char *const loopback[] = {"127.0.0.1", "127.255.3.4", "::1", "::ffff:127.0.0.1"};
	static const char *const local[] = {"169.254.3.4", "fe80::1", "febf:ffff::1"};
	static const char *const others[] = {"126.0.0.1", "128.0.0.1",	 "::2",	    "1::1",    "fd00::1",
					     "fec0::1",	  "169.253.0.1", "7f00::1", "a9fe::1", "::"};

	(void)state;
	for (size_t i = 0; i < COUNT(loopback); i++) {
		struct address a = parsed(loopback[i]);

		assert_true(address__is_loopback(&a) && !address__is_link_local(&a));
	}
	for (size_t i = 0; i < COUNT(local); i++) {
		struct address a = parsed(local[i]);

		assert_true(address__is_link_local(&a) && !address__is_loopback(&a));
	}
	for (size_t i = 0; i < COUNT(others); i++) {
		struct address a = parsed(others[i]);

		assert_false(address__is_link_local(&a) || address__is_loopback(&a));
	}
	assert_false(address__is_loopback(&(struct address){0}));
}

/* What a peer or a launcher may send. */
static void in_messages(void **state)
{
	struct address v4 = parsed("10.1.0.5"), v6 = parsed("fd00::5"), a;

	(void)state;
	v4.port = v6.port = 77;
	assert_true(address__sane(&(struct address){0}) && address__sane(&v4) && address__sane(&v6));
	for (unsigned family = 0; family < 256; family++) {
		a = v6;
		a.family = (uint8_t)family;
		assert_int_equal(address__sane(&a), family == 6);
		a = v4;
		a.family = (uint8_t)family;
		assert_int_equal(address__sane(&a), family == 4 || family == 6); /* a6::, to IPv6 */
	}
	for (unsigned i = 4; i < 16; i++) {
		a = v4;
		a.ip[i] = 1;
		assert_false(address__sane(&a));
	}
	a = v4, a.zero = 1;
	assert_false(address__sane(&a));
	a = v6, a.scope = 2; /* of somebody else's interfaces */
	assert_false(address__sane(&a));
	a = (struct address){.port = 5};
	assert_false(address__sane(&a));
	a = (struct address){.family = 6,
			     .ip = {[10] = 0xff, [11] = 0xff, 10, 1, 0, 5}}; /* 10.1.0.5 has a form already */
	assert_false(address__sane(&a));
}

static void on_sockets(void **state)
{
	static const char *const all[] = {"10.1.0.5", "fd00::5", "fe80::1%lo"};
	struct sockaddr_un {
		sa_family_t family;
	} other = {AF_UNIX};
	struct sockaddr_storage s;
	struct address a, b;

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++) {
		a = parsed(all[i]);
		a.port = 4711;
		assert_int_equal(address__to_socket(&a, &s),
				 a.family == 4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
		assert_true(address__of_socket(&b, (struct sockaddr *)&s));
		assert_memory_equal(&a, &b, sizeof(a));
		b.port = 1;
		assert_true(address__same(&a, &b));
	}
	assert_false(address__of_socket(&a, (struct sockaddr *)&other));
	assert_int_equal(a.family, 0);
}

/* ---- what --interface says ---- */

static bool has_loopback6(void)
{
	struct address a = {.family = 6, .ip = {[15] = 1}};
	char why[512];

	return address__find("::1", &a, why, sizeof(why)) == 0;
}

/* The text of the address found, "" for none. */
static const char *found(const char *spec)
{
	static char text[ADDRESS_TEXT];
	char why[512] = "";
	struct address a;

	if (address__find(spec, &a, why, sizeof(why)) == 0)
		return address__text(&a, text);
	assert_true(*why);
	return "";
}

static void finds(void **state)
{
	(void)state;
	assert_string_equal(found("127.0.0.1"), "127.0.0.1");
	assert_string_equal(found("127.1.2.3"), "127.1.2.3"); /* on no interface's list, and ours */
	assert_string_equal(found("lo"), "127.0.0.1");
	assert_string_equal(found("127.0.0.0/8"), "127.0.0.1");
	assert_string_equal(found("127.200.0.0/7"),
			    "127.0.0.1"); /* what is behind the network's bits says nothing */
	assert_string_equal(found("::ffff:127.0.0.1"), "127.0.0.1");
	assert_string_equal(found("240.0.0.1"), ""); /* nobody's: a reserved network */
	assert_string_equal(found("2001:db8::1"), "");
	assert_string_equal(found("2001:db8::/32"), "");
	assert_string_equal(found("240.0.0.0/8,nowhere0,2001:db8::/32,lo"), "127.0.0.1");
	assert_string_equal(found("fe80::1%nowhere0"), "");
	assert_string_equal(found(ADDRESS_LOOPBACK), "127.0.0.1");
	if (!has_loopback6()) {
		print_message("::1 is not tested: this machine has none\n");
		return;
	}
	assert_string_equal(found("::1"), "::1");
	assert_string_equal(found("[::1]"), "::1");
	assert_string_equal(found("::/127"), "::1");
	assert_string_equal(found("::1/128"), "::1");
	assert_string_equal(found("::2/128,::1/64"), "::1");
}

static void cannot_say(void **state)
{
	static const char *const bad[] = {
		"",
		",",
		"lo,,eth0",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0/8",
		"10.0.0.0/",
		"fd00::/129",
		"fd00::/",
		"fd00::/64/64",
		"fd00::/6 4",
		"fd00:/64",
		"[fd00::]/129",
		"[fd00::",
		"[lo]",
		"eth0/64",
		"a-name-that-is-too-long-for-one",
		"lo,10.0.0.0/40",
		"10.1.0.0/16,fd00::/200",
		"1:2:::3",
		":1",
		"1:2:3",
		"fd00::1%lo",
		"10.1.0.5%lo",
		"fe80::1%",
		"fe80::1%a-name-that-is-too-long-for-one",
		"::ffff:10.1.0.0/112",
	};
	char why[512], longest[ADDRESS_SPEC + 8];
	struct address a;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		*why = 0;
		if (address__check(bad[i], why, sizeof(why)) != -EINVAL)
			fail_msg("'%s' is accepted", bad[i]);
		assert_non_null(strstr(why, "give a name"));
		assert_int_equal(address__find(bad[i], &a, why, sizeof(why)), -EINVAL);
		assert_int_equal(a.family, 0);
	}
	memset(longest, 'l', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	assert_int_equal(address__check(longest, why, sizeof(why)), -EINVAL);
}

static void can_say(void **state)
{
	static const char *const good[] = {
		"lo",		"eth0",		  "ib0,auto",	"auto4",
		"auto6",	"10.1.0.5",	  "10.1.0.0/0", "fd00::5",
		"[fd00::5]",	"fd00::/0",	  "fd00::/128", "[fd00::]/64",
		"fe80::%lo/10", "[fe80::1%eth0]", "fe80::1",	"10.1.0.0/16,fd00::/64",
		"eth0:1",	"br-lan",	  "eth0.100",
	};
	char why[512];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		if (address__check(good[i], why, sizeof(why)))
			fail_msg("'%s': %s", good[i], why);
}

static void ours(void **state)
{
	struct address a = parsed("127.3.4.5"), b = parsed("240.0.0.1"), c = parsed("2001:db8::1");

	(void)state;
	assert_true(address__is_ours(&a));
	assert_false(address__is_ours(&b) || address__is_ours(&c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),       cmocka_unit_test(no_texts),   cmocka_unit_test(kinds),
		cmocka_unit_test(in_messages), cmocka_unit_test(on_sockets), cmocka_unit_test(finds),
		cmocka_unit_test(cannot_say),  cmocka_unit_test(can_say),    cmocka_unit_test(ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
