// 200 steps in one chain: the types of all of them are checked within seconds.
import { event, StartEvent, StopEvent, Workflow } from "blazen";

class E1 extends event("E1")<{ n: number }> {}
class E2 extends event("E2")<{ n: number }> {}
class E3 extends event("E3")<{ n: number }> {}
class E4 extends event("E4")<{ n: number }> {}
class E5 extends event("E5")<{ n: number }> {}
class E6 extends event("E6")<{ n: number }> {}
class E7 extends event("E7")<{ n: number }> {}
class E8 extends event("E8")<{ n: number }> {}
class E9 extends event("E9")<{ n: number }> {}
class E10 extends event("E10")<{ n: number }> {}
class E11 extends event("E11")<{ n: number }> {}
class E12 extends event("E12")<{ n: number }> {}
class E13 extends event("E13")<{ n: number }> {}
class E14 extends event("E14")<{ n: number }> {}
class E15 extends event("E15")<{ n: number }> {}
class E16 extends event("E16")<{ n: number }> {}
class E17 extends event("E17")<{ n: number }> {}
class E18 extends event("E18")<{ n: number }> {}
class E19 extends event("E19")<{ n: number }> {}
class E20 extends event("E20")<{ n: number }> {}
class E21 extends event("E21")<{ n: number }> {}
class E22 extends event("E22")<{ n: number }> {}
class E23 extends event("E23")<{ n: number }> {}
class E24 extends event("E24")<{ n: number }> {}
class E25 extends event("E25")<{ n: number }> {}
class E26 extends event("E26")<{ n: number }> {}
class E27 extends event("E27")<{ n: number }> {}
class E28 extends event("E28")<{ n: number }> {}
class E29 extends event("E29")<{ n: number }> {}
class E30 extends event("E30")<{ n: number }> {}
class E31 extends event("E31")<{ n: number }> {}
class E32 extends event("E32")<{ n: number }> {}
class E33 extends event("E33")<{ n: number }> {}
class E34 extends event("E34")<{ n: number }> {}
class E35 extends event("E35")<{ n: number }> {}
class E36 extends event("E36")<{ n: number }> {}
class E37 extends event("E37")<{ n: number }> {}
class E38 extends event("E38")<{ n: number }> {}
class E39 extends event("E39")<{ n: number }> {}
class E40 extends event("E40")<{ n: number }> {}
class E41 extends event("E41")<{ n: number }> {}
class E42 extends event("E42")<{ n: number }> {}
class E43 extends event("E43")<{ n: number }> {}
class E44 extends event("E44")<{ n: number }> {}
class E45 extends event("E45")<{ n: number }> {}
class E46 extends event("E46")<{ n: number }> {}
class E47 extends event("E47")<{ n: number }> {}
class E48 extends event("E48")<{ n: number }> {}
class E49 extends event("E49")<{ n: number }> {}
class E50 extends event("E50")<{ n: number }> {}
class E51 extends event("E51")<{ n: number }> {}
class E52 extends event("E52")<{ n: number }> {}
class E53 extends event("E53")<{ n: number }> {}
class E54 extends event("E54")<{ n: number }> {}
class E55 extends event("E55")<{ n: number }> {}
class E56 extends event("E56")<{ n: number }> {}
class E57 extends event("E57")<{ n: number }> {}
class E58 extends event("E58")<{ n: number }> {}
class E59 extends event("E59")<{ n: number }> {}
class E60 extends event("E60")<{ n: number }> {}
class E61 extends event("E61")<{ n: number }> {}
class E62 extends event("E62")<{ n: number }> {}
class E63 extends event("E63")<{ n: number }> {}
class E64 extends event("E64")<{ n: number }> {}
class E65 extends event("E65")<{ n: number }> {}
class E66 extends event("E66")<{ n: number }> {}
class E67 extends event("E67")<{ n: number }> {}
class E68 extends event("E68")<{ n: number }> {}
class E69 extends event("E69")<{ n: number }> {}
class E70 extends event("E70")<{ n: number }> {}
class E71 extends event("E71")<{ n: number }> {}
class E72 extends event("E72")<{ n: number }> {}
class E73 extends event("E73")<{ n: number }> {}
class E74 extends event("E74")<{ n: number }> {}
class E75 extends event("E75")<{ n: number }> {}
class E76 extends event("E76")<{ n: number }> {}
class E77 extends event("E77")<{ n: number }> {}
class E78 extends event("E78")<{ n: number }> {}
class E79 extends event("E79")<{ n: number }> {}
class E80 extends event("E80")<{ n: number }> {}
class E81 extends event("E81")<{ n: number }> {}
class E82 extends event("E82")<{ n: number }> {}
class E83 extends event("E83")<{ n: number }> {}
class E84 extends event("E84")<{ n: number }> {}
class E85 extends event("E85")<{ n: number }> {}
class E86 extends event("E86")<{ n: number }> {}
class E87 extends event("E87")<{ n: number }> {}
class E88 extends event("E88")<{ n: number }> {}
class E89 extends event("E89")<{ n: number }> {}
class E90 extends event("E90")<{ n: number }> {}
class E91 extends event("E91")<{ n: number }> {}
class E92 extends event("E92")<{ n: number }> {}
class E93 extends event("E93")<{ n: number }> {}
class E94 extends event("E94")<{ n: number }> {}
class E95 extends event("E95")<{ n: number }> {}
class E96 extends event("E96")<{ n: number }> {}
class E97 extends event("E97")<{ n: number }> {}
class E98 extends event("E98")<{ n: number }> {}
class E99 extends event("E99")<{ n: number }> {}
class E100 extends event("E100")<{ n: number }> {}
class E101 extends event("E101")<{ n: number }> {}
class E102 extends event("E102")<{ n: number }> {}
class E103 extends event("E103")<{ n: number }> {}
class E104 extends event("E104")<{ n: number }> {}
class E105 extends event("E105")<{ n: number }> {}
class E106 extends event("E106")<{ n: number }> {}
class E107 extends event("E107")<{ n: number }> {}
class E108 extends event("E108")<{ n: number }> {}
class E109 extends event("E109")<{ n: number }> {}
class E110 extends event("E110")<{ n: number }> {}
class E111 extends event("E111")<{ n: number }> {}
class E112 extends event("E112")<{ n: number }> {}
class E113 extends event("E113")<{ n: number }> {}
class E114 extends event("E114")<{ n: number }> {}
class E115 extends event("E115")<{ n: number }> {}
class E116 extends event("E116")<{ n: number }> {}
class E117 extends event("E117")<{ n: number }> {}
class E118 extends event("E118")<{ n: number }> {}
class E119 extends event("E119")<{ n: number }> {}
class E120 extends event("E120")<{ n: number }> {}
class E121 extends event("E121")<{ n: number }> {}
class E122 extends event("E122")<{ n: number }> {}
class E123 extends event("E123")<{ n: number }> {}
class E124 extends event("E124")<{ n: number }> {}
class E125 extends event("E125")<{ n: number }> {}
class E126 extends event("E126")<{ n: number }> {}
class E127 extends event("E127")<{ n: number }> {}
class E128 extends event("E128")<{ n: number }> {}
class E129 extends event("E129")<{ n: number }> {}
class E130 extends event("E130")<{ n: number }> {}
class E131 extends event("E131")<{ n: number }> {}
class E132 extends event("E132")<{ n: number }> {}
class E133 extends event("E133")<{ n: number }> {}
class E134 extends event("E134")<{ n: number }> {}
class E135 extends event("E135")<{ n: number }> {}
class E136 extends event("E136")<{ n: number }> {}
class E137 extends event("E137")<{ n: number }> {}
class E138 extends event("E138")<{ n: number }> {}
class E139 extends event("E139")<{ n: number }> {}
class E140 extends event("E140")<{ n: number }> {}
class E141 extends event("E141")<{ n: number }> {}
class E142 extends event("E142")<{ n: number }> {}
class E143 extends event("E143")<{ n: number }> {}
class E144 extends event("E144")<{ n: number }> {}
class E145 extends event("E145")<{ n: number }> {}
class E146 extends event("E146")<{ n: number }> {}
class E147 extends event("E147")<{ n: number }> {}
class E148 extends event("E148")<{ n: number }> {}
class E149 extends event("E149")<{ n: number }> {}
class E150 extends event("E150")<{ n: number }> {}
class E151 extends event("E151")<{ n: number }> {}
class E152 extends event("E152")<{ n: number }> {}
class E153 extends event("E153")<{ n: number }> {}
class E154 extends event("E154")<{ n: number }> {}
class E155 extends event("E155")<{ n: number }> {}
class E156 extends event("E156")<{ n: number }> {}
class E157 extends event("E157")<{ n: number }> {}
class E158 extends event("E158")<{ n: number }> {}
class E159 extends event("E159")<{ n: number }> {}
class E160 extends event("E160")<{ n: number }> {}
class E161 extends event("E161")<{ n: number }> {}
class E162 extends event("E162")<{ n: number }> {}
class E163 extends event("E163")<{ n: number }> {}
class E164 extends event("E164")<{ n: number }> {}
class E165 extends event("E165")<{ n: number }> {}
class E166 extends event("E166")<{ n: number }> {}
class E167 extends event("E167")<{ n: number }> {}
class E168 extends event("E168")<{ n: number }> {}
class E169 extends event("E169")<{ n: number }> {}
class E170 extends event("E170")<{ n: number }> {}
class E171 extends event("E171")<{ n: number }> {}
class E172 extends event("E172")<{ n: number }> {}
class E173 extends event("E173")<{ n: number }> {}
class E174 extends event("E174")<{ n: number }> {}
class E175 extends event("E175")<{ n: number }> {}
class E176 extends event("E176")<{ n: number }> {}
class E177 extends event("E177")<{ n: number }> {}
class E178 extends event("E178")<{ n: number }> {}
class E179 extends event("E179")<{ n: number }> {}
class E180 extends event("E180")<{ n: number }> {}
class E181 extends event("E181")<{ n: number }> {}
class E182 extends event("E182")<{ n: number }> {}
class E183 extends event("E183")<{ n: number }> {}
class E184 extends event("E184")<{ n: number }> {}
class E185 extends event("E185")<{ n: number }> {}
class E186 extends event("E186")<{ n: number }> {}
class E187 extends event("E187")<{ n: number }> {}
class E188 extends event("E188")<{ n: number }> {}
class E189 extends event("E189")<{ n: number }> {}
class E190 extends event("E190")<{ n: number }> {}
class E191 extends event("E191")<{ n: number }> {}
class E192 extends event("E192")<{ n: number }> {}
class E193 extends event("E193")<{ n: number }> {}
class E194 extends event("E194")<{ n: number }> {}
class E195 extends event("E195")<{ n: number }> {}
class E196 extends event("E196")<{ n: number }> {}
class E197 extends event("E197")<{ n: number }> {}
class E198 extends event("E198")<{ n: number }> {}
class E199 extends event("E199")<{ n: number }> {}

const chain = new Workflow("chain")
  .step("s0", StartEvent<{ n: number }>, async ({ n }) => new E1({ n: n + 1 }))
  .step("s1", E1, async ({ n }) => new E2({ n: n + 1 }))
  .step("s2", E2, async ({ n }) => new E3({ n: n + 1 }))
  .step("s3", E3, async ({ n }) => new E4({ n: n + 1 }))
  .step("s4", E4, async ({ n }) => new E5({ n: n + 1 }))
  .step("s5", E5, async ({ n }) => new E6({ n: n + 1 }))
  .step("s6", E6, async ({ n }) => new E7({ n: n + 1 }))
  .step("s7", E7, async ({ n }) => new E8({ n: n + 1 }))
  .step("s8", E8, async ({ n }) => new E9({ n: n + 1 }))
  .step("s9", E9, async ({ n }) => new E10({ n: n + 1 }))
  .step("s10", E10, async ({ n }) => new E11({ n: n + 1 }))
  .step("s11", E11, async ({ n }) => new E12({ n: n + 1 }))
  .step("s12", E12, async ({ n }) => new E13({ n: n + 1 }))
  .step("s13", E13, async ({ n }) => new E14({ n: n + 1 }))
  .step("s14", E14, async ({ n }) => new E15({ n: n + 1 }))
  .step("s15", E15, async ({ n }) => new E16({ n: n + 1 }))
  .step("s16", E16, async ({ n }) => new E17({ n: n + 1 }))
  .step("s17", E17, async ({ n }) => new E18({ n: n + 1 }))
  .step("s18", E18, async ({ n }) => new E19({ n: n + 1 }))
  .step("s19", E19, async ({ n }) => new E20({ n: n + 1 }))
  .step("s20", E20, async ({ n }) => new E21({ n: n + 1 }))
  .step("s21", E21, async ({ n }) => new E22({ n: n + 1 }))
  .step("s22", E22, async ({ n }) => new E23({ n: n + 1 }))
  .step("s23", E23, async ({ n }) => new E24({ n: n + 1 }))
  .step("s24", E24, async ({ n }) => new E25({ n: n + 1 }))
  .step("s25", E25, async ({ n }) => new E26({ n: n + 1 }))
  .step("s26", E26, async ({ n }) => new E27({ n: n + 1 }))
  .step("s27", E27, async ({ n }) => new E28({ n: n + 1 }))
  .step("s28", E28, async ({ n }) => new E29({ n: n + 1 }))
  .step("s29", E29, async ({ n }) => new E30({ n: n + 1 }))
  .step("s30", E30, async ({ n }) => new E31({ n: n + 1 }))
  .step("s31", E31, async ({ n }) => new E32({ n: n + 1 }))
  .step("s32", E32, async ({ n }) => new E33({ n: n + 1 }))
  .step("s33", E33, async ({ n }) => new E34({ n: n + 1 }))
  .step("s34", E34, async ({ n }) => new E35({ n: n + 1 }))
  .step("s35", E35, async ({ n }) => new E36({ n: n + 1 }))
  .step("s36", E36, async ({ n }) => new E37({ n: n + 1 }))
  .step("s37", E37, async ({ n }) => new E38({ n: n + 1 }))
  .step("s38", E38, async ({ n }) => new E39({ n: n + 1 }))
  .step("s39", E39, async ({ n }) => new E40({ n: n + 1 }))
  .step("s40", E40, async ({ n }) => new E41({ n: n + 1 }))
  .step("s41", E41, async ({ n }) => new E42({ n: n + 1 }))
  .step("s42", E42, async ({ n }) => new E43({ n: n + 1 }))
  .step("s43", E43, async ({ n }) => new E44({ n: n + 1 }))
  .step("s44", E44, async ({ n }) => new E45({ n: n + 1 }))
  .step("s45", E45, async ({ n }) => new E46({ n: n + 1 }))
  .step("s46", E46, async ({ n }) => new E47({ n: n + 1 }))
  .step("s47", E47, async ({ n }) => new E48({ n: n + 1 }))
  .step("s48", E48, async ({ n }) => new E49({ n: n + 1 }))
  .step("s49", E49, async ({ n }) => new E50({ n: n + 1 }))
  .step("s50", E50, async ({ n }) => new E51({ n: n + 1 }))
  .step("s51", E51, async ({ n }) => new E52({ n: n + 1 }))
  .step("s52", E52, async ({ n }) => new E53({ n: n + 1 }))
  .step("s53", E53, async ({ n }) => new E54({ n: n + 1 }))
  .step("s54", E54, async ({ n }) => new E55({ n: n + 1 }))
  .step("s55", E55, async ({ n }) => new E56({ n: n + 1 }))
  .step("s56", E56, async ({ n }) => new E57({ n: n + 1 }))
  .step("s57", E57, async ({ n }) => new E58({ n: n + 1 }))
  .step("s58", E58, async ({ n }) => new E59({ n: n + 1 }))
  .step("s59", E59, async ({ n }) => new E60({ n: n + 1 }))
  .step("s60", E60, async ({ n }) => new E61({ n: n + 1 }))
  .step("s61", E61, async ({ n }) => new E62({ n: n + 1 }))
  .step("s62", E62, async ({ n }) => new E63({ n: n + 1 }))
  .step("s63", E63, async ({ n }) => new E64({ n: n + 1 }))
  .step("s64", E64, async ({ n }) => new E65({ n: n + 1 }))
  .step("s65", E65, async ({ n }) => new E66({ n: n + 1 }))
  .step("s66", E66, async ({ n }) => new E67({ n: n + 1 }))
  .step("s67", E67, async ({ n }) => new E68({ n: n + 1 }))
  .step("s68", E68, async ({ n }) => new E69({ n: n + 1 }))
  .step("s69", E69, async ({ n }) => new E70({ n: n + 1 }))
  .step("s70", E70, async ({ n }) => new E71({ n: n + 1 }))
  .step("s71", E71, async ({ n }) => new E72({ n: n + 1 }))
  .step("s72", E72, async ({ n }) => new E73({ n: n + 1 }))
  .step("s73", E73, async ({ n }) => new E74({ n: n + 1 }))
  .step("s74", E74, async ({ n }) => new E75({ n: n + 1 }))
  .step("s75", E75, async ({ n }) => new E76({ n: n + 1 }))
  .step("s76", E76, async ({ n }) => new E77({ n: n + 1 }))
  .step("s77", E77, async ({ n }) => new E78({ n: n + 1 }))
  .step("s78", E78, async ({ n }) => new E79({ n: n + 1 }))
  .step("s79", E79, async ({ n }) => new E80({ n: n + 1 }))
  .step("s80", E80, async ({ n }) => new E81({ n: n + 1 }))
  .step("s81", E81, async ({ n }) => new E82({ n: n + 1 }))
  .step("s82", E82, async ({ n }) => new E83({ n: n + 1 }))
  .step("s83", E83, async ({ n }) => new E84({ n: n + 1 }))
  .step("s84", E84, async ({ n }) => new E85({ n: n + 1 }))
  .step("s85", E85, async ({ n }) => new E86({ n: n + 1 }))
  .step("s86", E86, async ({ n }) => new E87({ n: n + 1 }))
  .step("s87", E87, async ({ n }) => new E88({ n: n + 1 }))
  .step("s88", E88, async ({ n }) => new E89({ n: n + 1 }))
  .step("s89", E89, async ({ n }) => new E90({ n: n + 1 }))
  .step("s90", E90, async ({ n }) => new E91({ n: n + 1 }))
  .step("s91", E91, async ({ n }) => new E92({ n: n + 1 }))
  .step("s92", E92, async ({ n }) => new E93({ n: n + 1 }))
  .step("s93", E93, async ({ n }) => new E94({ n: n + 1 }))
  .step("s94", E94, async ({ n }) => new E95({ n: n + 1 }))
  .step("s95", E95, async ({ n }) => new E96({ n: n + 1 }))
  .step("s96", E96, async ({ n }) => new E97({ n: n + 1 }))
  .step("s97", E97, async ({ n }) => new E98({ n: n + 1 }))
  .step("s98", E98, async ({ n }) => new E99({ n: n + 1 }))
  .step("s99", E99, async ({ n }) => new E100({ n: n + 1 }))
  .step("s100", E100, async ({ n }) => new E101({ n: n + 1 }))
  .step("s101", E101, async ({ n }) => new E102({ n: n + 1 }))
  .step("s102", E102, async ({ n }) => new E103({ n: n + 1 }))
  .step("s103", E103, async ({ n }) => new E104({ n: n + 1 }))
  .step("s104", E104, async ({ n }) => new E105({ n: n + 1 }))
  .step("s105", E105, async ({ n }) => new E106({ n: n + 1 }))
  .step("s106", E106, async ({ n }) => new E107({ n: n + 1 }))
  .step("s107", E107, async ({ n }) => new E108({ n: n + 1 }))
  .step("s108", E108, async ({ n }) => new E109({ n: n + 1 }))
  .step("s109", E109, async ({ n }) => new E110({ n: n + 1 }))
  .step("s110", E110, async ({ n }) => new E111({ n: n + 1 }))
  .step("s111", E111, async ({ n }) => new E112({ n: n + 1 }))
  .step("s112", E112, async ({ n }) => new E113({ n: n + 1 }))
  .step("s113", E113, async ({ n }) => new E114({ n: n + 1 }))
  .step("s114", E114, async ({ n }) => new E115({ n: n + 1 }))
  .step("s115", E115, async ({ n }) => new E116({ n: n + 1 }))
  .step("s116", E116, async ({ n }) => new E117({ n: n + 1 }))
  .step("s117", E117, async ({ n }) => new E118({ n: n + 1 }))
  .step("s118", E118, async ({ n }) => new E119({ n: n + 1 }))
  .step("s119", E119, async ({ n }) => new E120({ n: n + 1 }))
  .step("s120", E120, async ({ n }) => new E121({ n: n + 1 }))
  .step("s121", E121, async ({ n }) => new E122({ n: n + 1 }))
  .step("s122", E122, async ({ n }) => new E123({ n: n + 1 }))
  .step("s123", E123, async ({ n }) => new E124({ n: n + 1 }))
  .step("s124", E124, async ({ n }) => new E125({ n: n + 1 }))
  .step("s125", E125, async ({ n }) => new E126({ n: n + 1 }))
  .step("s126", E126, async ({ n }) => new E127({ n: n + 1 }))
  .step("s127", E127, async ({ n }) => new E128({ n: n + 1 }))
  .step("s128", E128, async ({ n }) => new E129({ n: n + 1 }))
  .step("s129", E129, async ({ n }) => new E130({ n: n + 1 }))
  .step("s130", E130, async ({ n }) => new E131({ n: n + 1 }))
  .step("s131", E131, async ({ n }) => new E132({ n: n + 1 }))
  .step("s132", E132, async ({ n }) => new E133({ n: n + 1 }))
  .step("s133", E133, async ({ n }) => new E134({ n: n + 1 }))
  .step("s134", E134, async ({ n }) => new E135({ n: n + 1 }))
  .step("s135", E135, async ({ n }) => new E136({ n: n + 1 }))
  .step("s136", E136, async ({ n }) => new E137({ n: n + 1 }))
  .step("s137", E137, async ({ n }) => new E138({ n: n + 1 }))
  .step("s138", E138, async ({ n }) => new E139({ n: n + 1 }))
  .step("s139", E139, async ({ n }) => new E140({ n: n + 1 }))
  .step("s140", E140, async ({ n }) => new E141({ n: n + 1 }))
  .step("s141", E141, async ({ n }) => new E142({ n: n + 1 }))
  .step("s142", E142, async ({ n }) => new E143({ n: n + 1 }))
  .step("s143", E143, async ({ n }) => new E144({ n: n + 1 }))
  .step("s144", E144, async ({ n }) => new E145({ n: n + 1 }))
  .step("s145", E145, async ({ n }) => new E146({ n: n + 1 }))
  .step("s146", E146, async ({ n }) => new E147({ n: n + 1 }))
  .step("s147", E147, async ({ n }) => new E148({ n: n + 1 }))
  .step("s148", E148, async ({ n }) => new E149({ n: n + 1 }))
  .step("s149", E149, async ({ n }) => new E150({ n: n + 1 }))
  .step("s150", E150, async ({ n }) => new E151({ n: n + 1 }))
  .step("s151", E151, async ({ n }) => new E152({ n: n + 1 }))
  .step("s152", E152, async ({ n }) => new E153({ n: n + 1 }))
  .step("s153", E153, async ({ n }) => new E154({ n: n + 1 }))
  .step("s154", E154, async ({ n }) => new E155({ n: n + 1 }))
  .step("s155", E155, async ({ n }) => new E156({ n: n + 1 }))
  .step("s156", E156, async ({ n }) => new E157({ n: n + 1 }))
  .step("s157", E157, async ({ n }) => new E158({ n: n + 1 }))
  .step("s158", E158, async ({ n }) => new E159({ n: n + 1 }))
  .step("s159", E159, async ({ n }) => new E160({ n: n + 1 }))
  .step("s160", E160, async ({ n }) => new E161({ n: n + 1 }))
  .step("s161", E161, async ({ n }) => new E162({ n: n + 1 }))
  .step("s162", E162, async ({ n }) => new E163({ n: n + 1 }))
  .step("s163", E163, async ({ n }) => new E164({ n: n + 1 }))
  .step("s164", E164, async ({ n }) => new E165({ n: n + 1 }))
  .step("s165", E165, async ({ n }) => new E166({ n: n + 1 }))
  .step("s166", E166, async ({ n }) => new E167({ n: n + 1 }))
  .step("s167", E167, async ({ n }) => new E168({ n: n + 1 }))
  .step("s168", E168, async ({ n }) => new E169({ n: n + 1 }))
  .step("s169", E169, async ({ n }) => new E170({ n: n + 1 }))
  .step("s170", E170, async ({ n }) => new E171({ n: n + 1 }))
  .step("s171", E171, async ({ n }) => new E172({ n: n + 1 }))
  .step("s172", E172, async ({ n }) => new E173({ n: n + 1 }))
  .step("s173", E173, async ({ n }) => new E174({ n: n + 1 }))
  .step("s174", E174, async ({ n }) => new E175({ n: n + 1 }))
  .step("s175", E175, async ({ n }) => new E176({ n: n + 1 }))
  .step("s176", E176, async ({ n }) => new E177({ n: n + 1 }))
  .step("s177", E177, async ({ n }) => new E178({ n: n + 1 }))
  .step("s178", E178, async ({ n }) => new E179({ n: n + 1 }))
  .step("s179", E179, async ({ n }) => new E180({ n: n + 1 }))
  .step("s180", E180, async ({ n }) => new E181({ n: n + 1 }))
  .step("s181", E181, async ({ n }) => new E182({ n: n + 1 }))
  .step("s182", E182, async ({ n }) => new E183({ n: n + 1 }))
  .step("s183", E183, async ({ n }) => new E184({ n: n + 1 }))
  .step("s184", E184, async ({ n }) => new E185({ n: n + 1 }))
  .step("s185", E185, async ({ n }) => new E186({ n: n + 1 }))
  .step("s186", E186, async ({ n }) => new E187({ n: n + 1 }))
  .step("s187", E187, async ({ n }) => new E188({ n: n + 1 }))
  .step("s188", E188, async ({ n }) => new E189({ n: n + 1 }))
  .step("s189", E189, async ({ n }) => new E190({ n: n + 1 }))
  .step("s190", E190, async ({ n }) => new E191({ n: n + 1 }))
  .step("s191", E191, async ({ n }) => new E192({ n: n + 1 }))
  .step("s192", E192, async ({ n }) => new E193({ n: n + 1 }))
  .step("s193", E193, async ({ n }) => new E194({ n: n + 1 }))
  .step("s194", E194, async ({ n }) => new E195({ n: n + 1 }))
  .step("s195", E195, async ({ n }) => new E196({ n: n + 1 }))
  .step("s196", E196, async ({ n }) => new E197({ n: n + 1 }))
  .step("s197", E197, async ({ n }) => new E198({ n: n + 1 }))
  .step("s198", E198, async ({ n }) => new E199({ n: n + 1 }))
  .step("s199", E199, async ({ n }) => new StopEvent({ result: n + 1 }));

export const result: number = await chain.run({ n: 0 });
// @ts-expect-error a misspelt input
await chain.run({ m: 0 });
