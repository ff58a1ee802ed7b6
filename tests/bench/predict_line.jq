# SPDX-License-Identifier: BSD-2-Clause
# A row of predict.json as a line of text.
def pad($n): . + " " * ([$n - length, 0] | max) + " ";
def two: if . == null then "?" else . * 100 | round / 100 | tostring end;

(.pattern | pad(11)) + (.model | pad(3)) + (.truth | pad(6)) + ((.advice // "-")[:28] | pad(28)) + (.how | pad(8))
+ ((if .predicted then "\(.predicted.low | two) - \(.predicted.best | two) - \(.predicted.high | two)" else "-" end) | pad(22))
+ ((if .measured then "\(.measured.median | two) (\(.measured.least | two)-\(.measured.most | two))" else "-" end) | pad(20))
+ (if .inside == null then "-" elif .inside then "yes" else "NO" end)
+ (if .others > 0.2 then "   (others took \(.others * 100 | round) % of the machine)" else "" end)
